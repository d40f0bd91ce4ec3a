#pragma once
// Where a peer listens: a TCP host and port, or the path of a unix socket. A value; no I/O, no
// name resolution.
//
// Spellings: "127.0.0.1:0", "studio.local:7070", "[::1]:80", "http://host:port", "https://host",
// "unix:/run/hearth.sock". A bare host without a port is refused: ports are never guessed, except
// 80 and 443 after a scheme. An address has no path: targets belong to requests.

#include <cstdint>
#include <string>
#include <string_view>

#include "hearth/base/result.h"

namespace hearth::net {

// sockaddr_un holds 104 bytes on macOS and 108 on Linux; the end mark takes one.
inline constexpr std::size_t unix_path_bytes_max = 103;
inline constexpr std::size_t host_bytes_max = 253;  // RFC 1035 section 2.3.4

struct Address {
  std::string host;        // without brackets; empty for a unix socket
  std::uint16_t port = 0;  // 0 lets a listener choose
  std::string path;        // absolute; empty for TCP
  bool tls = false;        // spelt https://

  static Address tcp(std::string host, std::uint16_t port) {
    return {.host = std::move(host), .port = port, .path = {}, .tls = false};
  }
  static Address unix_socket(std::string path) {
    return {.host = {}, .port = 0, .path = std::move(path), .tls = false};
  }

  bool is_unix() const { return !path.empty(); }
  // Unix sockets, "localhost", 127.0.0.0/8 and ::1: bytes that do not leave the machine.
  bool is_local() const;
  // A spelling that parse_address reads back to an equal value.
  std::string text() const;
  bool operator==(const Address&) const = default;
};

// invalid_argument that says what was expected.
Result<Address> parse_address(std::string_view text);

}  // namespace hearth::net
