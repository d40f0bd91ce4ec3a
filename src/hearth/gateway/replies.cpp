#include "hearth/gateway/replies.h"

#include <algorithm>
#include <random>
#include <utility>

#include "hearth/chat/ids.h"

namespace hearth::gateway {
namespace {

// Time cures these; clients should not repeat the others.
bool is_worth_repeating(ApiError::Kind kind) {
  using Kind = ApiError::Kind;
  return kind == Kind::overloaded || kind == Kind::rate_limit || kind == Kind::timed_out ||
         kind == Kind::internal;
}

}  // namespace

std::uint64_t system_random() {
  std::random_device device;
  return (std::uint64_t{device()} << 32) | device();
}

std::string new_id() {
  Random random(system_random());
  return chat::random_outward_id("", random);
}

std::string new_request_id() { return "req_" + new_id(); }

ApiError::Kind kind_of_status(int status) {
  using Kind = ApiError::Kind;
  switch (status) {
    case 401: return Kind::authentication;
    case 403: return Kind::permission;
    case 404: return Kind::not_found;
    case 413: return Kind::too_large;
    case 503: return Kind::overloaded;
    case 408:
    case 504: return Kind::timed_out;
    default: return status >= 500 ? Kind::internal : Kind::invalid_request;
  }
}

net::Response Replies::finish(net::Response response, const net::Request& request,
                              const std::string& id) const {
  response.headers.set("request-id", id);
  response.headers.set("x-request-id", id);
  const std::string origin = access_.cors_origin(request);
  if (origin.empty()) return response;
  response.headers.set("Access-Control-Allow-Origin", origin);
  response.headers.set("Vary", "Origin");
  return response;
}

net::Response Replies::refuse(const Dialect& dialect, const ApiError& error,
                              const net::Request& request, const std::string& id) const {
  net::Response response =
      net::Response::json(dialect.error_status(error), dialect.error_body(error, id));
  if (!is_worth_repeating(error.kind)) response.headers.set("x-should-retry", "false");
  if (error.retry_after) {
    const auto whole_s = static_cast<std::int64_t>(seconds(*error.retry_after));
    response.headers.set("Retry-After", std::to_string(std::max<std::int64_t>(1, whole_s)));
  }
  return finish(std::move(response), request, id);
}

}  // namespace hearth::gateway
