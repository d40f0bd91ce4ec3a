#include "hearth/base/pipe.h"

#include <fcntl.h>
#include <unistd.h>

namespace hearth {

bool make_pipe(int (&fds)[2]) {
#ifdef __linux__
  // At once: a child that another thread starts meanwhile would keep the pipe open.
  return ::pipe2(fds, O_CLOEXEC) == 0;
#else
  if (::pipe(fds) != 0) return false;
  for (const int fd : fds) ::fcntl(fd, F_SETFD, FD_CLOEXEC);
  return true;
#endif
}

}  // namespace hearth
