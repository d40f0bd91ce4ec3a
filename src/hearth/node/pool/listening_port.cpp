#include "hearth/node/pool/listening_port.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include "hearth/base/clock.h"

namespace hearth::node {
namespace {

constexpr int descriptors_max = 256;  // a process that has just started has few
constexpr Duration look_interval = std::chrono::milliseconds(10);
constexpr Duration wait_max = std::chrono::seconds(10);

std::uint16_t listening_port(int fd) {
  int listens = 0;
  socklen_t length = sizeof(listens);
  if (::getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &length) != 0 || listens == 0) return 0;
  sockaddr_in bound{};
  length = sizeof(bound);
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&bound), &length) != 0) return 0;
  return bound.sin_family == AF_INET ? ntohs(bound.sin_port) : std::uint16_t{0};
}

}  // namespace

Result<std::uint16_t> own_listening_port(const StopToken& stop) {
  const Deadline deadline = Deadline::after(wait_max);
  while (!deadline.passed()) {
    for (int fd = 0; fd < descriptors_max; ++fd) {
      if (const std::uint16_t port = listening_port(fd); port != 0) return port;
    }
    if (stopped_while_waiting(stop, Deadline::after(look_interval))) return fail(Code::cancelled, "stopped");
  }
  return fail(Code::timed_out, "nothing in this process listens on a port");
}

}  // namespace hearth::node
