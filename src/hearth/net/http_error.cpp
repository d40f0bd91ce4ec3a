#include "hearth/net/http_error.h"

#include <fmt/format.h>

#include <optional>

namespace hearth::net {
namespace {

constexpr std::size_t message_bytes_shown_max = 500;

Code code_of_status(int status) {
  switch (status) {
    case 401:
    case 403: return Code::permission;
    case 404: return Code::not_found;
    case 408:
    case 504: return Code::timed_out;
    case 413:
    case 429:
    case 431: return Code::resource_exhausted;
    case 422: return Code::corrupt;
    case 405:
    case 501: return Code::unsupported;
    case 502:
    case 503:
    case 529: return Code::unavailable;
    default: return status >= 500 ? Code::internal : Code::invalid_argument;
  }
}

std::optional<Code> code_of_name(std::string_view name) {
  for (int i = 0; i <= static_cast<int>(Code::internal); ++i) {
    if (code_name(static_cast<Code>(i)) == name) return static_cast<Code>(i);
  }
  return {};
}

}  // namespace

int status_of(Code code) {
  switch (code) {
    case Code::invalid_argument: return 400;
    case Code::permission: return 403;
    case Code::not_found: return 404;
    case Code::corrupt: return 422;
    case Code::internal: return 500;
    case Code::unsupported: return 501;
    case Code::cancelled:
    case Code::unavailable:
    case Code::resource_exhausted: return 503;
    case Code::timed_out: return 504;
  }
  return 500;
}

Response error_response(int status, const Error& error) {
  Json detail = Json::object(
      {{"code", std::string(code_name(error.code))}, {"message", error.message}});
  Response out = Response::json(status, Json::object({{"error", std::move(detail)}}));
  if (status == 503) out.headers.add("Retry-After", "1");
  return out;
}

Error error_of_reply(int status, ByteSpan body, std::string_view peer) {
  Error out{code_of_status(status), fmt::format("{}: HTTP {} {}", peer, status,
                                                reason_phrase(status))};
  const auto parsed = parse_json(as_text(body));
  const Json* error = parsed ? parsed->find("error") : nullptr;
  if (error == nullptr) return out;
  const Json* code = error->find("code");
  if (code != nullptr && code->is_string()) {
    out.code = code_of_name(code->as_string()).value_or(out.code);
  }
  const Json* message = error->find("message");
  if (message != nullptr && message->is_string()) {
    out.message += ": " + message->as_string().substr(0, message_bytes_shown_max);
  }
  return out;
}

}  // namespace hearth::net
