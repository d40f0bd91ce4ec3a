#include "hearth/base/bytes.h"

#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <utility>

#include "hearth/base/buffer_pool.h"
#include "hearth/base/check.h"

namespace hearth {

namespace {

// From here on a buffer is mapped by itself and goes back to the system when it is freed: malloc keeps it
// for the threads that shared an arena with its owner, and a thousand chunks of 0.9 MB that came over a
// thousand connections left 750 MB behind.
constexpr std::size_t mapped_bytes_min = 512u << 10;
// And from here on with huge pages: filling fresh memory costs a page fault for each page, and 1,700 of
// them for 7 MB took three times as long as copying the bytes.
constexpr std::size_t large_bytes_min = 4u << 20;
constexpr std::size_t huge_page_bytes = 2u << 20;

std::byte* map_pages(std::size_t bytes) {
  void* data = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return data == MAP_FAILED ? nullptr : static_cast<std::byte*>(data);
}

#ifdef MADV_HUGEPAGE
// Starts at a huge page's boundary: maps one too many and gives back what lies around.
std::byte* map_large(std::size_t bytes) {
  std::byte* data = map_pages(bytes + huge_page_bytes);
  if (data == nullptr) return nullptr;
  const std::size_t before = -reinterpret_cast<std::uintptr_t>(data) % huge_page_bytes;
  if (before > 0) ::munmap(data, before);
  ::munmap(data + before + bytes, huge_page_bytes - before);
  // Whole huge pages only, so that the last one does not take more than the buffer has. A refusal
  // costs nothing but speed.
  (void)::madvise(data + before, bytes / huge_page_bytes * huge_page_bytes, MADV_HUGEPAGE);
  return data + before;
}
#else
std::byte* map_large(std::size_t bytes) { return map_pages(bytes); }
#endif

std::size_t round_up_to_page(std::size_t bytes) {
  static const auto page_bytes = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  return (bytes + page_bytes - 1) / page_bytes * page_bytes;
}

}  // namespace

Result<Buffer> Buffer::create(std::size_t bytes) {
  Buffer buffer;
  if (bytes == 0) return buffer;
  const bool is_sane = bytes <= SIZE_MAX / 2;  // so that rounding cannot wrap
  const bool is_mapped = is_sane && bytes >= mapped_bytes_min;
  buffer.allocated_ = is_mapped ? round_up_to_page(bytes) : bytes;
  if (is_sane) {
    buffer.data_ = bytes >= large_bytes_min ? map_large(buffer.allocated_)
                   : is_mapped              ? map_pages(buffer.allocated_)
                                            : static_cast<std::byte*>(std::malloc(bytes));
  }
  if (buffer.data_ == nullptr) {
    return fail(Code::resource_exhausted, fmt::format("no memory for a buffer of {} bytes", bytes));
  }
  buffer.size_ = bytes;
  return buffer;
}

Buffer& Buffer::operator=(Buffer&& other) noexcept {
  if (this != &other) {
    free_memory();
    take_from(other);
  }
  return *this;
}

Buffer::~Buffer() { free_memory(); }

void Buffer::take_from(Buffer& other) noexcept {
  data_ = std::exchange(other.data_, nullptr);
  size_ = std::exchange(other.size_, 0);
  front_ = std::exchange(other.front_, 0);
  allocated_ = std::exchange(other.allocated_, 0);
  pool_ = std::move(other.pool_);
}

void Buffer::free_memory() {
  data_ -= std::exchange(front_, 0);
  if (pool_) {
    const auto pool = std::move(pool_);
    Buffer back;
    back.take_from(*this);
    pool->keep(std::move(back));
  } else if (allocated_ >= mapped_bytes_min) {
    ::munmap(data_, allocated_);
  } else {
    std::free(data_);
  }
}

void Buffer::shrink(std::size_t bytes) {
  CHECK(bytes <= size_);
  size_ = bytes;
}

void Buffer::drop_front(std::size_t bytes) {
  CHECK(bytes <= size_);
  data_ += bytes;
  size_ -= bytes;
  front_ += bytes;
}

std::unexpected<Error> ByteReader::truncated(std::string_view what, std::uint64_t count) const {
  return fail(Code::corrupt, fmt::format("ends at offset {}: {} needs {} bytes, {} left", offset(),
                                         what, count, remaining()));
}

std::string to_hex(ByteSpan bytes) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string out;
  out.reserve(bytes.size() * 2);
  for (const std::byte b : bytes) {
    const auto value = std::to_integer<unsigned>(b);
    out.push_back(digits[value >> 4]);
    out.push_back(digits[value & 15]);
  }
  return out;
}

Result<Bytes> from_hex(std::string_view text) {
  const auto digit = [](char c) -> int {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return -1;
  };
  if (text.size() % 2 != 0) return fail(Code::invalid_argument, "hexadecimal text of odd length");
  Bytes out;
  out.reserve(text.size() / 2);
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const int high = digit(text[i]);
    const int low = digit(text[i + 1]);
    if (high < 0 || low < 0) {
      return fail(Code::invalid_argument,
                  fmt::format("'{}' at position {} is not lower-case hexadecimal",
                              text.substr(i, 2), i));
    }
    out.push_back(static_cast<std::byte>(high * 16 + low));
  }
  return out;
}

}  // namespace hearth
