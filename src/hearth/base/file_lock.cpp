#include "hearth/base/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>

#include <cerrno>

namespace hearth {

Result<FileDescriptor> lock_file(const std::filesystem::path& file, std::string_view taken) {
  FileDescriptor out(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!out.valid()) return fail_errno("open", file, errno);
  if (::flock(out.get(), LOCK_EX | LOCK_NB) == 0) return out;
  if (errno != EWOULDBLOCK) return fail_errno("lock", file, errno);
  return fail(Code::unavailable, std::string(taken));
}

}  // namespace hearth
