#pragma once
// One request that wants an answer, from its head to its response, and the way that was chosen for it.
// Private to gateway. One thread's.

#include <memory>
#include <string>

#include "hearth/gateway/dialect.h"
#include "hearth/gateway/replies.h"
#include "hearth/gateway/route_entry.h"
#include "hearth/net/http_message.h"
#include "hearth/route/decide.h"
#include "hearth/seal/clearance.h"

namespace hearth::gateway {

struct AnswerCall {
  const Dialect& dialect;
  const net::Request& request;
  std::string id = new_request_id();
  Instant began = std::chrono::steady_clock::now();
  bool stream = false;
  bool joined = false;  // an answer that was running
  seal::Clearance clearance;
  std::string route{};  // for X-Hearth-Route
};

// Without routing: to the model here.
struct Way {
  route::Decision decision{.route_class = std::string(route::other_class), .target = std::string(route::local_target)};
  std::shared_ptr<RouteEntry> entry;
};

}  // namespace hearth::gateway
