#include "hearth/net/address.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <charconv>

namespace hearth::net {
namespace {

constexpr std::string_view expected =
    "expected host:port, http://host:port, https://host:port or unix:/path";

std::unexpected<Error> bad_address(std::string_view text, std::string_view why) {
  // Foreign bytes: shown cut, so that an absurd input does not fill the log.
  return fail(Code::invalid_argument,
              fmt::format("address '{}': {}; {}", text.substr(0, 120), why, expected));
}

bool is_host_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '.' || c == '_';
}

bool is_ipv6_character(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') || c == ':' ||
         c == '.';
}

Result<Address> parse_unix(std::string_view text, std::string_view path) {
  if (path.empty() || path.front() != '/') return bad_address(text, "the path is not absolute");
  if (path.size() > unix_path_bytes_max) {
    return bad_address(text, fmt::format("a socket path has at most {} bytes, this has {}",
                                         unix_path_bytes_max, path.size()));
  }
  if (path.find('\0') != path.npos) return bad_address(text, "the path holds a NUL");
  return Address::unix_socket(std::string(path));
}

Result<std::uint16_t> parse_port(std::string_view text, std::string_view digits) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (error != std::errc() || end != digits.data() + digits.size()) {
    return bad_address(text, fmt::format("'{}' is not a port", digits.substr(0, 20)));
  }
  return port;
}

// Splits "host:port" or "[v6]:port"; the port part is empty when there is none.
Result<std::pair<std::string_view, std::string_view>> split_host(std::string_view text,
                                                                 std::string_view rest) {
  std::string_view host;
  std::string_view after;
  const bool bracketed = rest.starts_with('[');
  if (bracketed) {
    const auto close = rest.find(']');
    if (close == rest.npos) return bad_address(text, "'[' without ']'");
    host = rest.substr(1, close - 1);
    after = rest.substr(close + 1);
    if (host.find(':') == host.npos) return bad_address(text, "no IPv6 address in brackets");
  } else {
    const auto colon = rest.find(':');
    host = rest.substr(0, colon);
    after = colon == rest.npos ? std::string_view() : rest.substr(colon);
  }
  if (host.empty() || host.size() > host_bytes_max) return bad_address(text, "no usable host");
  for (const char c : host) {
    if (!(bracketed ? is_ipv6_character(c) : is_host_character(c))) {
      return bad_address(text, "a character that no host name has");
    }
  }
  if (after.empty()) return std::pair(host, after);
  if (after.front() != ':' || after.size() == 1) return bad_address(text, "no port after the host");
  return std::pair(host, after.substr(1));
}

}  // namespace

bool Address::is_local() const {
  if (is_unix() || host == "localhost" || host == "::1") return true;
  in_addr numeric{};  // a name such as 127.example.org is somebody else's
  return host.starts_with("127.") && ::inet_pton(AF_INET, host.c_str(), &numeric) == 1;
}

std::string Address::text() const {
  if (is_unix()) return "unix:" + path;
  const bool is_ipv6 = host.find(':') != host.npos;
  // A host called "unix" needs its scheme, or it would read as a path.
  const std::string_view scheme = tls ? "https://" : host == "unix" ? "http://" : "";
  return fmt::format("{}{}{}{}:{}", scheme, is_ipv6 ? "[" : "", host,
                     is_ipv6 ? "]" : "", port);
}

Result<Address> parse_address(std::string_view text) {
  if (text.starts_with("unix:")) return parse_unix(text, text.substr(5));
  std::string_view rest = text;
  std::uint16_t default_port = 0;
  const bool tls = rest.starts_with("https://");
  if (tls) {
    rest.remove_prefix(8);
    default_port = 443;
  } else if (rest.starts_with("http://")) {
    rest.remove_prefix(7);
    default_port = 80;
  }
  if (default_port != 0 && rest.ends_with('/')) rest.remove_suffix(1);
  const auto [host, digits] = TRY(split_host(text, rest));
  if (digits.empty() && default_port == 0) return bad_address(text, "no port");
  Address address = Address::tcp(std::string(host), default_port);
  if (!digits.empty()) address.port = TRY(parse_port(text, digits));
  address.tls = tls;
  return address;
}

}  // namespace hearth::net
