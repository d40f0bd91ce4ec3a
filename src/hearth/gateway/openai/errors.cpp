#include "hearth/gateway/openai/errors.h"

#include <fmt/format.h>

namespace hearth::gateway::openai {
namespace {

struct Words {
  int status;
  std::string_view type;
  std::string_view code;          // of the envelope; empty: null
  std::string_view failure_code;  // of response.failed, where only some words are understood
};

// Codex gives up on "server_is_overloaded" and tries again after "server_error".
Words words_for(ApiError::Kind kind) {
  using Kind = ApiError::Kind;
  constexpr std::string_view invalid = "invalid_request_error";
  switch (kind) {
    case Kind::invalid_request: return {400, invalid, "", "invalid_prompt"};
    case Kind::authentication: return {401, invalid, "invalid_api_key", "invalid_prompt"};
    case Kind::permission: return {403, "permission_error", "permission_denied", "invalid_prompt"};
    case Kind::not_found: return {404, invalid, "not_found", "invalid_prompt"};
    case Kind::too_large: return {413, invalid, "request_too_large", "invalid_prompt"};
    case Kind::prompt_too_long:
      return {400, invalid, "context_length_exceeded", "context_length_exceeded"};
    case Kind::rate_limit:
      return {429, "rate_limit_error", "rate_limit_exceeded", "rate_limit_exceeded"};
    case Kind::overloaded:
      return {503, "service_unavailable_error", "service_unavailable", "server_error"};
    case Kind::timed_out: return {504, "timeout_error", "timeout", "server_error"};
    case Kind::bad_upstream: return {502, "server_error", "bad_gateway", "server_error"};
    case Kind::internal: break;
  }
  return {500, "server_error", "server_error", "server_error"};
}

// Clients recognise either half of this wording and shorten their history.
std::string message_of(const ApiError& error) {
  if (error.kind != ApiError::Kind::prompt_too_long) return error.message;
  return fmt::format(
      "prompt is too long: {} tokens > {} maximum; exceeds the available context size",
      error.prompt_tokens, error.prompt_tokens_max);
}

Json text_or_null(std::string_view text) { return text.empty() ? Json() : Json(text); }

}  // namespace

int error_status(const ApiError& error) { return words_for(error.kind).status; }

Json error_body(const ApiError& error) {
  const Words words = words_for(error.kind);
  return Json::object({{"error", Json::object({{"message", message_of(error)},
                                               {"type", words.type},
                                               {"param", text_or_null(error.field)},
                                               {"code", text_or_null(words.code)}})}});
}

Json failure_json(const ApiError& error) {
  return Json::object({{"code", words_for(error.kind).failure_code},
                       {"message", message_of(error)}});
}

}  // namespace hearth::gateway::openai
