#include "hearth/net/listener.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "hearth/net/socket_address.h"

namespace hearth::net {
namespace {

constexpr int backlog = 512;

// A socket file may be removed only when it is a socket and nobody answers on it.
Result<> clear_stale_socket(const Address& address) {
  struct stat info {};
  if (::lstat(address.path.c_str(), &info) != 0) return {};
  if (!S_ISSOCK(info.st_mode)) {
    return fail(Code::invalid_argument,
                fmt::format("{} exists and is not a socket; choose another path", address.path));
  }
  const auto answered = connect_stream(address, Deadline::after(std::chrono::seconds(2)), {});
  if (answered) {
    return fail(Code::unavailable,
                fmt::format("another process already listens on {}", address.text()));
  }
  if (answered.error().code != Code::unavailable) return std::unexpected(answered.error());
  if (::unlink(address.path.c_str()) != 0 && errno != ENOENT) {
    return fail_errno("removing the stale socket", address.path, errno);
  }
  return {};
}

// Nobody can connect between bind and listen, so the mode is in force from the first connection.
Result<> bind_unix(int fd, const SocketAddress& to, const std::string& path, UnixAccess access) {
  if (::bind(fd, to.get(), to.length) != 0) return fail_socket("binding", path, errno);
  if (::chmod(path.c_str(), access == UnixAccess::group ? 0660 : 0600) != 0) return fail_errno("making private", path, errno);
  return {};
}

Result<> bind_tcp(int fd, const SocketAddress& to, const std::string& name) {
  const int on = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (::bind(fd, to.get(), to.length) != 0) return fail_socket("binding", name, errno);
  return {};
}

std::uint16_t bound_port(int fd) {
  SocketAddress bound;
  bound.length = sizeof(bound.storage);
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&bound.storage), &bound.length);
  if (bound.storage.ss_family == AF_INET6) {
    return ntohs(reinterpret_cast<const sockaddr_in6*>(&bound.storage)->sin6_port);
  }
  return ntohs(reinterpret_cast<const sockaddr_in*>(&bound.storage)->sin_port);
}

int accept_from(int listening, SocketAddress& from) {
  auto* address = reinterpret_cast<sockaddr*>(&from.storage);
#ifdef SOCK_CLOEXEC
  return ::accept4(listening, address, &from.length, SOCK_CLOEXEC);  // at once, as make_socket
#else
  return ::accept(listening, address, &from.length);
#endif
}

bool is_connection_error(int error_number) {  // of the one being accepted, not of the listener
  return error_number == ECONNABORTED || error_number == EINTR || error_number == EPROTO ||
         error_number == ENETDOWN || error_number == EHOSTUNREACH || error_number == ENETUNREACH ||
         error_number == EPERM;
}

}  // namespace

Result<Listener> Listener::listen(const Address& address, UnixAccess access) {
  if (address.tls) return fail(Code::unsupported, address.text() + ": listening with TLS");
  if (address.is_unix()) TRY(clear_stale_socket(address));
  const auto candidates = TRY(resolve(address));
  auto socket = TRY(make_socket(candidates.front().storage.ss_family));
  if (address.is_unix()) {
    TRY(bind_unix(socket.get(), candidates.front(), address.path, access));
  } else {
    TRY(bind_tcp(socket.get(), candidates.front(), address.text()));
  }
  if (::listen(socket.get(), backlog) != 0) {
    return fail_socket("listening on", address.text(), errno);
  }
  Address actual = address;
  if (!address.is_unix()) actual.port = bound_port(socket.get());
  return Listener(std::move(socket), std::move(actual));
}

Listener::~Listener() {
  if (socket_.valid() && address_.is_unix()) ::unlink(address_.path.c_str());
}

Result<std::unique_ptr<Stream>> Listener::accept(Deadline deadline, const StopToken& stop) {
  const StopDescriptor stop_descriptor(stop);
  for (;;) {
    if (stop.stop_requested()) return fail(Code::cancelled, address_.text() + ": cancelled");
    SocketAddress from;
    from.length = sizeof(from.storage);
    FileDescriptor fd(accept_from(socket_.get(), from));
    if (fd.valid()) return make_socket_stream(std::move(fd), peer_text(from));
    if (is_connection_error(errno)) continue;
    if (errno != EAGAIN && errno != EWOULDBLOCK) {
      return fail_socket("accepting on", address_.text(), errno);
    }
    if (deadline.passed()) return fail(Code::timed_out, address_.text() + ": nobody connected");
    std::array<pollfd, 2> polled{pollfd{socket_.get(), POLLIN, 0},
                                 pollfd{stop_descriptor.fd(), POLLIN, 0}};
    ::poll(polled.data(), polled.size(), deadline.poll_timeout_ms());
  }
}

}  // namespace hearth::net
