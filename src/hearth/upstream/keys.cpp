#include "hearth/upstream/keys.h"

#include "hearth/net/url.h"

namespace hearth::upstream {

void add_key(Kind kind, const std::string& key, net::Headers& headers) {
  if (key.empty()) return;
  if (kind == Kind::anthropic) headers.set("x-api-key", key);
  else headers.set("Authorization", "Bearer " + key);
}

std::string target_below(std::string_view url, std::string_view path) {
  const auto parsed = net::parse_url(url);
  std::string base = parsed ? std::string(parsed->path()) : std::string();
  while (base.ends_with('/')) base.pop_back();
  if (base.ends_with("/v1") && path.starts_with("/v1/")) base.resize(base.size() - 3);
  return base + std::string(path);
}

}  // namespace hearth::upstream
