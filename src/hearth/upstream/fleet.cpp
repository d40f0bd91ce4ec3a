#include "hearth/upstream/fleet.h"

namespace hearth::upstream {
namespace {

template <class Map>
auto* find_in(const Map& map, std::string_view name) {
  const auto found = map.find(name);
  return found == map.end() ? nullptr : found->second.get();
}

}  // namespace

Result<std::unique_ptr<Fleet>> Fleet::create(const std::vector<EndpointSpec>& specs,
                                             const std::function<Result<std::string>(const EndpointSpec&)>& key_of,
                                             const net::Address& egress, net::HttpClient& http) {
  auto out = std::make_unique<Fleet>();
  for (const EndpointSpec& spec : specs) {
    if (spec.reach == seal::Reach::remote) {
      out->remote_[spec.name] = TRY(make_remote_endpoint(spec, egress, http));
    } else {
      std::string key = TRY(key_of(spec));
      out->house_[spec.name] = TRY(make_endpoint(spec, std::move(key), http));
    }
  }
  return out;
}

Endpoint* Fleet::house(std::string_view name) const { return find_in(house_, name); }
RemoteEndpoint* Fleet::remote(std::string_view name) const { return find_in(remote_, name); }

const EndpointSpec* Fleet::spec(std::string_view name) const {
  if (const Endpoint* here = house(name)) return &here->spec();
  const RemoteEndpoint* there = remote(name);
  return there == nullptr ? nullptr : &there->spec();
}

std::vector<std::string> Fleet::names() const {
  std::vector<std::string> out;
  for (const auto& [name, endpoint] : house_) out.push_back(name);
  for (const auto& [name, endpoint] : remote_) out.push_back(name);
  return out;
}

}  // namespace hearth::upstream
