#include "hearth/net/socket_address.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "hearth/base/check.h"

namespace hearth::net {
namespace {

SocketAddress unix_address(const std::string& path) {
  SocketAddress out;
  auto* address = reinterpret_cast<sockaddr_un*>(&out.storage);
  CHECK(path.size() <= unix_path_bytes_max);
  address->sun_family = AF_UNIX;
  std::memcpy(address->sun_path, path.c_str(), path.size() + 1);
  out.length = sizeof(sockaddr_un);
  return out;
}

Code code_of_errno(int error_number) {
  switch (error_number) {
    case EACCES:
    case EPERM: return Code::permission;
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM: return Code::resource_exhausted;
    case ETIMEDOUT: return Code::timed_out;
    case EINVAL:
    case EADDRNOTAVAIL: return Code::invalid_argument;
    default: return Code::unavailable;
  }
}

}  // namespace

Result<std::vector<SocketAddress>> resolve(const Address& address) {
  std::vector<SocketAddress> out;
  if (address.is_unix()) {
    if (address.path.size() > unix_path_bytes_max) {
      return fail(Code::invalid_argument, fmt::format("socket path too long: {}", address.path));
    }
    out.push_back(unix_address(address.path));
    return out;
  }
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  const int error = ::getaddrinfo(address.host.c_str(), std::to_string(address.port).c_str(),
                                  &hints, &list);
  if (error != 0) {
    return fail(Code::unavailable,
                fmt::format("resolving '{}': {}", address.host, ::gai_strerror(error)));
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(list, &::freeaddrinfo);
  for (const addrinfo* entry = list; entry != nullptr; entry = entry->ai_next) {
    SocketAddress one;
    std::memcpy(&one.storage, entry->ai_addr, entry->ai_addrlen);
    one.length = entry->ai_addrlen;
    out.push_back(one);
  }
  return out;
}

void make_non_blocking(int fd) {
  ::fcntl(fd, F_SETFD, FD_CLOEXEC);
  ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
#ifdef SO_NOSIGPIPE
  const int on = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof(on));
#endif
}

Result<FileDescriptor> make_socket(int family) {
#ifdef SOCK_CLOEXEC
  // At once: a child that another thread starts meanwhile would keep the connection open.
  FileDescriptor fd(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
#else
  FileDescriptor fd(::socket(family, SOCK_STREAM, 0));
#endif
  if (!fd.valid()) return fail_socket("opening", "a socket", errno);
  make_non_blocking(fd.get());
  return fd;
}

std::string peer_text(const SocketAddress& address) {
  if (address.storage.ss_family == AF_UNIX) return "unix";
  char host[NI_MAXHOST];
  char port[NI_MAXSERV];
  if (::getnameinfo(address.get(), address.length, host, sizeof(host), port, sizeof(port),
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
    return "unknown";
  }
  const bool is_ipv6 = std::strchr(host, ':') != nullptr;
  return is_ipv6 ? fmt::format("[{}]:{}", host, port) : fmt::format("{}:{}", host, port);
}

std::unexpected<Error> fail_socket(std::string_view what, std::string_view peer, int error_number,
                                   std::source_location where) {
  return fail(code_of_errno(error_number),
              fmt::format("{} {}: {}", what, peer, std::strerror(error_number)), where);
}

}  // namespace hearth::net
