#pragma once
// Who may use the gateway: API keys, and the Host and Origin checks that keep a web page in the
// user's browser from reaching it through a name of its own (DNS rebinding). Pure.

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hearth/base/digest.h"
#include "hearth/gateway/api.h"
#include "hearth/net/http_message.h"

namespace hearth::gateway {

struct AccessRules {
  std::vector<std::string> api_keys;         // none: everybody who passes the host check
  std::map<std::string, std::string> key_names;  // names of some of them, by key
  std::vector<std::string> allowed_hosts;    // beside loopback names; "*" allows all
  std::vector<std::string> allowed_origins;  // of web pages, beside loopback ones; "*" allows all
};

class Access {
 public:
  explicit Access(const AccessRules& rules);

  // Nothing: let it in. `needs_key`: false for /health.
  std::optional<ApiError> check(const net::Request& request, bool needs_key) const;
  // Which client: a digest of the key that counts, for keeping clients' requests apart; no secret.
  std::string client_name(const net::Request& request) const;
  // The name that configuration gives the key that counts; empty: none.
  std::string key_name(const net::Request& request) const;
  // The value for Access-Control-Allow-Origin; empty: no web page asks, or none that may read it.
  std::string cors_origin(const net::Request& request) const;

 private:
  bool host_allowed(std::string_view host) const;
  bool origin_allowed(std::string_view origin) const;
  bool is_known(std::string_view key) const;

  AccessRules rules_;
  std::vector<Digest256> key_digests_;
};

// What client_name() says of whoever presents this key.
std::string client_name_of_key(std::string_view key);

// "Authorization: Bearer KEY", then "x-api-key: KEY". Clients send one or both, and one of the two
// may be left over from another service.
std::vector<std::string_view> presented_keys(const net::Request& request);

}  // namespace hearth::gateway
