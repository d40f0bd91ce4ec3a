#include "hearth/net/url.h"

#include <fmt/format.h>

#include <algorithm>

#include "hearth/net/http_message.h"

namespace hearth::net {
namespace {

constexpr std::uint16_t http_port = 80;
constexpr std::uint16_t https_port = 443;
constexpr std::size_t shown_bytes_max = 200;

std::unexpected<Error> bad_url(std::string_view text, std::string_view why) {
  return fail(Code::invalid_argument,
              fmt::format("URL '{}': {}; expected http://host/path or https://host/path",
                          text.substr(0, shown_bytes_max), why));
}

bool is_visible_ascii(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7f; });
}

std::string_view without_fragment(std::string_view text) { return text.substr(0, text.find('#')); }

// The authority ends where path or query begin.
std::size_t authority_end(std::string_view text, std::size_t begin) {
  return std::min(text.find_first_of("/?", begin), text.size());
}

std::string origin_text(const Address& address) {
  const bool is_ipv6 = address.host.find(':') != address.host.npos;
  const bool usual = address.port == (address.tls ? https_port : http_port);
  return fmt::format("{}://{}{}{}{}", address.tls ? "https" : "http", is_ipv6 ? "[" : "",
                     address.host, is_ipv6 ? "]" : "",
                     usual ? "" : fmt::format(":{}", address.port));
}

}  // namespace

std::string_view Url::path() const { return std::string_view(target).substr(0, target.find('?')); }
std::string_view Url::query() const { return std::string_view(target).substr(path().size()); }
std::string Url::text() const { return origin_text(address) + target; }
std::string Url::shown() const { return origin_text(address) + std::string(path()); }

bool is_url(std::string_view text) {
  return text.starts_with("http://") || text.starts_with("https://");
}

Result<Url> parse_url(std::string_view text) {
  if (text.size() > url_bytes_max) {
    return bad_url(text, fmt::format("it has {} bytes, at most {} are taken", text.size(),
                                     url_bytes_max));
  }
  if (!is_url(text)) return bad_url(text, "no http:// or https:// in front");
  if (!is_visible_ascii(text)) {
    return bad_url(text, "blanks and other characters must be percent-encoded");
  }
  const std::string_view whole = without_fragment(text);
  const std::size_t end = authority_end(whole, whole.find("://") + 3);
  Url url;
  const auto address = parse_address(whole.substr(0, end));
  if (!address) return bad_url(text, "no usable host or port");
  url.address = *address;
  url.target = std::string(whole.substr(end));
  if (!url.target.starts_with('/')) url.target.insert(0, "/");
  return url;
}

Result<Url> resolve_location(const Url& base, std::string_view location) {
  if (is_url(location)) return parse_url(location);
  if (location.starts_with("//")) {
    return parse_url(fmt::format("{}:{}", base.address.tls ? "https" : "http", location));
  }
  if (location.empty() || location.size() > url_bytes_max || !is_visible_ascii(location)) {
    return bad_url(location, fmt::format("{} redirects to no usable place", base.shown()));
  }
  const std::string_view colon = location.substr(0, location.find_first_of("/?#"));
  if (colon.find(':') != colon.npos) {
    return bad_url(location, fmt::format("{} redirects to another protocol", base.shown()));
  }
  const std::string_view relative = without_fragment(location);
  Url out = base;
  if (relative.starts_with('/')) {
    out.target = std::string(relative);
  } else if (relative.starts_with('?')) {
    out.target = std::string(base.path()) + std::string(relative);
  } else {
    out.target = std::string(base.path().substr(0, base.path().rfind('/') + 1)) +
                 std::string(relative);
  }
  return out;
}

Result<std::string> file_name_of(const Url& url) {
  return percent_decode(url.path().substr(url.path().rfind('/') + 1));
}

Url with_file_name(const Url& url, std::string_view file_name) {
  Url out = url;
  out.target = std::string(url.path().substr(0, url.path().rfind('/') + 1)) +
               percent_encode(file_name) + std::string(url.query());
  return out;
}

}  // namespace hearth::net
