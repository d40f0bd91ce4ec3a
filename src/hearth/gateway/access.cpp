#include "hearth/gateway/access.h"

#include <algorithm>

namespace hearth::gateway {
namespace {

// "name:port", "[::1]:port" and both without a port.
std::string_view without_port(std::string_view host) {
  if (host.starts_with('[')) {
    const auto end = host.find(']');
    return end == std::string_view::npos ? host : host.substr(0, end + 1);
  }
  return host.substr(0, host.find(':'));
}

bool is_loopback_name(std::string_view host) {
  return net::equals_ignoring_case(host, "localhost") || host == "[::1]" ||
         (host.starts_with("127.") &&
          host.find_first_not_of("0123456789.") == std::string_view::npos);
}

bool names(const std::vector<std::string>& list, std::string_view value) {
  return std::ranges::any_of(list, [&](const std::string& each) {
    return each == "*" || net::equals_ignoring_case(each, value);
  });
}

Digest256 key_digest(std::string_view key) { return blake2b(as_byte_span(key)); }

}  // namespace

std::vector<std::string_view> presented_keys(const net::Request& request) {
  constexpr std::string_view bearer = "bearer ";
  std::vector<std::string_view> out;
  const std::string_view authorization = request.headers.get("authorization");
  if (authorization.size() > bearer.size() &&
      net::equals_ignoring_case(authorization.substr(0, bearer.size()), bearer)) {
    out.push_back(authorization.substr(bearer.size()));
  }
  if (const auto key = request.headers.get("x-api-key"); !key.empty()) out.push_back(key);
  return out;
}

std::string client_name_of_key(std::string_view key) { return key_digest(key).short_hex(); }

Access::Access(const AccessRules& rules) : rules_(rules) {
  for (const std::string& key : rules_.api_keys) key_digests_.push_back(key_digest(key));
}

bool Access::host_allowed(std::string_view host) const {
  const std::string_view name = without_port(host);
  return is_loopback_name(name) || names(rules_.allowed_hosts, name);
}

bool Access::origin_allowed(std::string_view origin) const {
  const auto scheme_end = origin.find("://");
  if (scheme_end != std::string_view::npos &&
      is_loopback_name(without_port(origin.substr(scheme_end + 3)))) {
    return true;
  }
  return names(rules_.allowed_origins, origin);
}

std::optional<ApiError> Access::check(const net::Request& request, bool needs_key) const {
  using Kind = ApiError::Kind;
  // HTTP/1.0 has no Host; no browser speaks it.
  if (const std::string* host = request.headers.find("host"); host != nullptr && !host_allowed(*host)) {
    return ApiError{.kind = Kind::permission,
                    .message = "this Host is not served here; name it in allowed_hosts"};
  }
  if (const std::string* origin = request.headers.find("origin");
      origin != nullptr && !origin_allowed(*origin)) {
    return ApiError{.kind = Kind::permission,
                    .message = "web pages of this Origin are not served; name it in allowed_origins"};
  }
  if (!needs_key || key_digests_.empty()) return {};
  const auto keys = presented_keys(request);
  if (keys.empty()) {
    return ApiError{.kind = Kind::authentication,
                    .message = "no API key; send Authorization: Bearer KEY or x-api-key: KEY"};
  }
  if (std::ranges::any_of(keys, [&](std::string_view key) { return is_known(key); })) return {};
  return ApiError{.kind = Kind::authentication, .message = "this API key is not known"};
}

// Digests are compared: how long that takes says nothing about the key.
bool Access::is_known(std::string_view key) const {
  return std::ranges::find(key_digests_, key_digest(key)) != key_digests_.end();
}

std::string Access::client_name(const net::Request& request) const {
  const auto keys = presented_keys(request);
  if (keys.empty()) return {};
  const auto known = std::ranges::find_if(keys, [&](auto key) { return is_known(key); });
  return key_digest(known == keys.end() ? keys.front() : *known).short_hex();
}

std::string Access::key_name(const net::Request& request) const {
  for (const std::string_view key : presented_keys(request)) {
    if (!is_known(key)) continue;
    const auto found = rules_.key_names.find(std::string(key));
    return found == rules_.key_names.end() ? std::string() : found->second;
  }
  return {};
}

std::string Access::cors_origin(const net::Request& request) const {
  const std::string_view origin = request.headers.get("origin");
  return origin_allowed(origin) ? std::string(origin) : std::string();
}

}  // namespace hearth::gateway
