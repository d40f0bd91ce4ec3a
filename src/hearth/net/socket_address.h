#pragma once
// Address to sockaddr, for the files that make sockets. Private to net.

#include <sys/socket.h>

#include <string>
#include <vector>

#include "hearth/base/file.h"
#include "hearth/net/address.h"

namespace hearth::net {

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t length = 0;
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

// All addresses a name stands for; blocks for as long as name resolution does.
Result<std::vector<SocketAddress>> resolve(const Address& address);
// A non-blocking, close-on-exec stream socket that raises no SIGPIPE.
Result<FileDescriptor> make_socket(int family);
void make_non_blocking(int fd);
std::string peer_text(const SocketAddress& address);
// "connecting to 127.0.0.1:1: Connection refused", with the nearest Code.
std::unexpected<Error> fail_socket(std::string_view what, std::string_view peer, int error_number,
                                   std::source_location where = std::source_location::current());

}  // namespace hearth::net
