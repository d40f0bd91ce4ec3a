#pragma once
// Requests of the Anthropic API that go to the Anthropic API as they came. Private to gateway.

#include "hearth/gateway/metrics.h"
#include "hearth/gateway/route_entry.h"
#include "hearth/gateway/routing.h"

namespace hearth::gateway {

// The request may be passed on to `target` as it came.
bool passes_through(const Routing& routing, std::string_view dialect, const std::string& target);

// Images and the like, of which the model here knows nothing, as words: enough to decide where it goes.
Json without_images(const Json& body);

// What asks, and what is told at the end; the entry gets its outcome.
struct PassPlan {
  seal::Clearance clearance;
  std::string target;
  std::shared_ptr<RouteEntry> entry;
  std::string warning{};  // of ours, to stand in the answer; empty: none
};
ApiResult<net::Response> pass_through(const Routing& routing, Metrics& metrics, const net::Request& http,
                                      const Json& body, PassPlan plan);

// As many tokens as `target` itself counts in the body of a request to count them; nothing when it does not
// say, or when this work may not go there.
std::optional<std::uint64_t> count_there(const Routing& routing, const net::Request& http, const Json& body,
                                         const seal::Clearance& clearance, const std::string& target);

}  // namespace hearth::gateway
