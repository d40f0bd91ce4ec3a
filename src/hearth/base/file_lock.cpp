#include "hearth/base/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>

#include <cerrno>

namespace hearth {

Result<bool> try_lock(const FileDescriptor& file, const std::filesystem::path& path) {
  if (::flock(file.get(), LOCK_EX | LOCK_NB) == 0) return true;
  if (errno != EWOULDBLOCK) return fail_errno("lock", path, errno);
  return false;
}

Result<FileDescriptor> lock_file(const std::filesystem::path& file, std::string_view taken) {
  FileDescriptor out(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!out.valid()) return fail_errno("open", file, errno);
  if (!TRY(try_lock(out, file))) return fail(Code::unavailable, std::string(taken));
  return out;
}

}  // namespace hearth
