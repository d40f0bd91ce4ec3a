#include "hearth/gateway/anthropic/errors.h"

#include <fmt/format.h>

namespace hearth::gateway::anthropic {
namespace {

struct Words {
  int status;
  std::string_view type;
};

Words words_for(ApiError::Kind kind) {
  using Kind = ApiError::Kind;
  switch (kind) {
    case Kind::invalid_request: return {400, "invalid_request_error"};
    case Kind::authentication: return {401, "authentication_error"};
    case Kind::permission: return {403, "permission_error"};
    case Kind::not_found: return {404, "not_found_error"};
    case Kind::too_large: return {413, "invalid_request_error"};
    case Kind::prompt_too_long: return {400, "invalid_request_error"};
    case Kind::rate_limit: return {429, "rate_limit_error"};
    case Kind::overloaded: return {529, "overloaded_error"};
    case Kind::timed_out: return {504, "timeout_error"};
    case Kind::bad_upstream: return {502, "api_error"};
    case Kind::internal: return {500, "api_error"};
  }
  return {500, "api_error"};
}

// Clients recognise this wording, take the numbers from it and shorten their history.
std::string message_of(const ApiError& error) {
  if (error.kind != ApiError::Kind::prompt_too_long) return error.message;
  return fmt::format(
      "prompt is too long: {} tokens > {} maximum (capability_rejected: prompt_too_long)",
      error.prompt_tokens, error.prompt_tokens_max);
}

}  // namespace

int error_status(const ApiError& error) { return words_for(error.kind).status; }

Json error_body(const ApiError& error, std::string_view request_id) {
  return Json::object(
      {{"type", "error"},
       {"error", Json::object({{"type", words_for(error.kind).type},
                               {"message", message_of(error)}})},
       {"request_id", request_id.empty() ? Json() : Json(request_id)}});
}

}  // namespace hearth::gateway::anthropic
