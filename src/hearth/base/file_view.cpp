#include "hearth/base/file_view.h"

#include <sys/mman.h>

namespace hearth {
namespace {

// An error instead of the SIGBUS that touching a page gives when its device fails.
bool read_pages([[maybe_unused]] void* data, [[maybe_unused]] std::size_t bytes) {
#ifdef MADV_POPULATE_READ
  return ::madvise(data, bytes, MADV_POPULATE_READ) == 0;
#else
  return false;
#endif
}

}  // namespace

std::optional<FileView> FileView::open(const ReadableFile& file) {
  if (file.size_bytes() == 0 || file.size_bytes() > SIZE_MAX) return {};
  const auto bytes = static_cast<std::size_t>(file.size_bytes());
  void* data = ::mmap(nullptr, bytes, PROT_READ, MAP_SHARED, file.descriptor(), 0);
  if (data == MAP_FAILED) return {};
  FileView view(ByteSpan(static_cast<const std::byte*>(data), bytes));
  if (!read_pages(data, bytes)) return {};
  return view;
}

FileView::~FileView() {
  if (bytes_.empty()) return;
  ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

}  // namespace hearth
