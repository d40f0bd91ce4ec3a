#pragma once
// Requests of the Anthropic API that go to the Anthropic API as they came. Private to gateway.

#include "hearth/gateway/metrics.h"
#include "hearth/gateway/routing.h"

namespace hearth::gateway {

// The request may be passed on to `target` as it came.
bool passes_through(const Routing& routing, std::string_view dialect, const std::string& target);

// Images and the like, of which the model here knows nothing, as words: enough to decide where it goes.
Json without_images(const Json& body);

// What asks, and what is told at the end; the record gets its outcome.
struct PassPlan {
  seal::Clearance clearance;
  std::string target;
  Instant began{};
  store::RouteRecord record;
};
ApiResult<net::Response> pass_through(const Routing& routing, Metrics& metrics, const net::Request& http,
                                      const Json& body, PassPlan plan);

}  // namespace hearth::gateway
