#pragma once
// All upstreams of a server by name. Thread-safe.

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "hearth/upstream/remote.h"

namespace hearth::upstream {

class Fleet {
 public:
  // `key_of` gives the key of a service in the house; it is not asked for those outside.
  static Result<std::unique_ptr<Fleet>> create(const std::vector<EndpointSpec>& specs,
                                               const std::function<Result<std::string>(const EndpointSpec&)>& key_of,
                                               const net::Address& egress, net::HttpClient& http);
  // nullptr: there is none of that name, or it is of the other type.
  Endpoint* house(std::string_view name) const;
  RemoteEndpoint* remote(std::string_view name) const;
  const EndpointSpec* spec(std::string_view name) const;
  std::vector<std::string> names() const;

 private:
  std::map<std::string, std::unique_ptr<Endpoint>, std::less<>> house_;
  std::map<std::string, std::unique_ptr<RemoteEndpoint>, std::less<>> remote_;
};

}  // namespace hearth::upstream
