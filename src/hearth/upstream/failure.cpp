// What goes wrong with a service, in our own words (facts of each kind: docs/upstreams.md).

#include <fmt/format.h>

#include <charconv>
#include <cctype>

#include "hearth/base/utf8.h"
#include "hearth/upstream/chat_traits.h"
#include "hearth/upstream/codec.h"
#include "hearth/upstream/members.h"

namespace hearth::upstream {
namespace {

using ApiKind = chat::ApiError::Kind;

constexpr std::size_t quoted_bytes_max = 400;
constexpr Duration come_back_after = std::chrono::seconds(5);

// An error as services word it: an object, a string, FastAPI's detail, with or without an envelope.
struct Told {
  std::string type, code, message;
  std::uint32_t prompt_tokens = 0, prompt_tokens_max = 0;
};

Told read_error(const Json& error) {
  Told out;
  if (error.is_string()) out.message = error.as_string();
  if (!error.is_object()) return out;
  out.type = text_of(error, "type");
  out.code = text_of(error, "code");
  if (const auto number = number_of(error, "code")) out.code = fmt::format("{}", *number);
  out.message = text_of(error, "message");
  out.prompt_tokens = count_of(error, "n_prompt_tokens");
  out.prompt_tokens_max = count_of(error, "n_ctx");
  return out;
}

Told read_body(std::string_view body) {
  const auto json = parse_json(body);
  if (!json || !json->is_object()) return {};
  if (const Json* error = json->find("error"); error != nullptr) return read_error(*error);
  if (json->find("detail") != nullptr) return {.type = "validation", .message = dump_json(*json->find("detail"))};
  return read_error(*json);
}

bool contains(std::string_view text, std::string_view part) { return text.find(part) != text.npos; }

// The first two numbers of "prompt is too long: 9 tokens > 8 maximum" and of its like.
std::vector<std::uint32_t> numbers_in(std::string_view text) {
  std::vector<std::uint32_t> out;
  for (std::size_t i = 0; i < text.size() && out.size() < 2;) {
    if (std::isdigit(static_cast<unsigned char>(text[i])) == 0) {
      ++i;
      continue;
    }
    std::uint32_t number = 0;
    const auto end = std::from_chars(text.data() + i, text.data() + text.size(), number);
    if (end.ec == std::errc()) out.push_back(number);
    i = static_cast<std::size_t>(end.ptr - text.data());
  }
  return out;
}

bool says_too_long(const Told& told) {
  if (told.type == "exceed_context_size_error" || told.code == "context_length_exceeded") return true;
  for (const std::string_view wording : {"prompt is too long", "maximum context length", "exceeds the available context size",
                                         "exceeds the context window", "context length exceeded", "input is too long"}) {
    if (contains(told.message, wording)) return true;
  }
  return false;
}

Failure too_long(const EndpointSpec& spec, const Told& told) {
  Failure out{.error = {.kind = ApiKind::prompt_too_long,
                        .message = fmt::format("the prompt is longer than the window of {}", spec.name),
                        .prompt_tokens = told.prompt_tokens, .prompt_tokens_max = told.prompt_tokens_max}};
  if (out.error.prompt_tokens != 0) return out;
  const auto numbers = numbers_in(told.message);
  if (numbers.size() < 2) return out;
  out.error.prompt_tokens = std::max(numbers[0], numbers[1]);
  out.error.prompt_tokens_max = std::min(numbers[0], numbers[1]);
  return out;
}

std::string shown_text(std::string_view text) {
  text = text.substr(0, complete_utf8_prefix(text.substr(0, quoted_bytes_max)));
  return is_valid_utf8(text) ? std::string(text) : std::string("(not text)");
}

Failure make(ApiKind kind, std::string message, bool may_repeat) {
  return {.error = {.kind = kind, .message = std::move(message), .may_pass = may_repeat}, .may_repeat = may_repeat};
}

Failure of_request(const EndpointSpec& spec, const Told& told) {
  if (says_too_long(told)) return too_long(spec, told);
  return make(ApiKind::invalid_request, fmt::format("{} refuses the request: {}", spec.name, shown_text(told.message)), false);
}

Failure of_status(const EndpointSpec& spec, int status, const Told& told) {
  switch (status) {
    case 400:
    case 422: return of_request(spec, told);
    case 413: return make(ApiKind::too_large, fmt::format("{} finds the request too large", spec.name), false);
    case 401:
    case 402:
    case 403:  // its text stays here: it may name the account
      return make(ApiKind::bad_upstream,
                  fmt::format("{} refuses the key that Hearth has for it (status {}): look at the key and its account", spec.name, status), false);
    case 404:
      if (spec.kind == Kind::exo) {
        return make(ApiKind::overloaded, fmt::format("{} runs no instance of {}: place one, or wait for it", spec.name, spec.model), false);
      }
      if (spec.kind == Kind::mlx && !told.message.empty()) return of_request(spec, told);
      return make(ApiKind::bad_upstream, fmt::format("{} does not know its model {} or the path asked for", spec.name, spec.model), false);
    case 408: return make(ApiKind::timed_out, fmt::format("{} waited too long for the request", spec.name), true);
    case 409: return make(ApiKind::overloaded, fmt::format("{} is busy with a conflicting request", spec.name), true);
    case 429: return make(ApiKind::rate_limit, fmt::format("{} limits how much may be asked now", spec.name), true);
    case 503:
    case 529: return make(ApiKind::overloaded, fmt::format("{} is overloaded or not ready", spec.name), true);
    case 504: return make(ApiKind::timed_out, fmt::format("{} took too long", spec.name), true);
    default: break;
  }
  if (says_too_long(told)) return too_long(spec, told);
  const bool may_repeat = status >= 500 && chat_traits(spec.kind).repeats_500;
  return make(ApiKind::bad_upstream, fmt::format("{} failed (status {})", spec.name, status), may_repeat);
}

std::optional<Duration> header_time(const net::Headers& headers, std::string_view name, double unit_s) {
  const std::string* text = headers.find(name);
  if (text == nullptr) return std::nullopt;
  double value = 0;
  const auto end = std::from_chars(text->data(), text->data() + text->size(), value);
  if (end.ec != std::errc() || !(value >= 0 && value < 1e7)) return std::nullopt;
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(value * unit_s));
}

}  // namespace

std::unexpected<Failure> broken(const EndpointSpec& spec, std::string_view what) {
  return std::unexpected(make(ApiKind::bad_upstream, fmt::format("{} {}", spec.name, what), true));
}

std::unexpected<Failure> refused(std::string field, std::string what) {
  Failure out = make(ApiKind::invalid_request, field + ": " + what, false);
  out.error.field = std::move(field);
  return std::unexpected(std::move(out));
}

Failure failure_of_reply(const EndpointSpec& spec, int status, const net::Headers& headers, std::string_view body) {
  Failure out = of_status(spec, status, read_body(body));
  const auto should = headers.get("x-should-retry");
  if (should == "true") out.may_repeat = true;
  if (should == "false") out.may_repeat = false;
  out.error.may_pass = out.may_repeat;
  out.wait = header_time(headers, "retry-after-ms", 1e-3);
  if (!out.wait) out.wait = header_time(headers, "retry-after", 1);
  const bool passing = out.error.kind == ApiKind::overloaded || out.error.kind == ApiKind::rate_limit;
  if (passing) out.error.retry_after = out.wait.value_or(come_back_after);
  return out;
}

Failure failure_in_stream(const EndpointSpec& spec, const Json& error) {
  const Told told = read_error(error);
  const std::string& type = told.type;
  if (type == "overloaded_error" || told.code == "529" || told.code == "503") return failure_of_reply(spec, 529, {}, {});
  if (type == "rate_limit_error" || told.code == "429") return failure_of_reply(spec, 429, {}, {});
  if (type == "authentication_error" || type == "permission_error" || type == "billing_error") return failure_of_reply(spec, 401, {}, {});
  if (type == "timeout_error") return failure_of_reply(spec, 504, {}, {});
  if (type == "invalid_request_error" || type == "BadRequestError" || told.code == "400" || says_too_long(told)) return of_request(spec, told);
  return make(ApiKind::bad_upstream, fmt::format("{} failed while it answered", spec.name), true);
}

Failure failure_of_transport(const EndpointSpec& spec, const Error& error) {
  switch (error.code) {
    case Code::timed_out:
      return make(ApiKind::timed_out, fmt::format("{} said nothing for too long", spec.name), true);
    case Code::cancelled: return make(ApiKind::overloaded, "cancelled", false);
    case Code::permission: return make(ApiKind::bad_upstream, fmt::format("{}: {}", spec.name, error.message), false);
    case Code::invalid_argument: return make(ApiKind::internal, fmt::format("{}: {}", spec.name, error.message), false);
    case Code::unavailable: {
      Failure out = make(ApiKind::overloaded, fmt::format("{} cannot be reached: {}", spec.name, error.message), true);
      out.error.retry_after = come_back_after;
      return out;
    }
    default: break;
  }
  return make(ApiKind::bad_upstream, fmt::format("{} does not speak HTTP as it should", spec.name), true);
}

bool is_other_model(std::string_view asked, std::string_view told) {
  if (asked.empty() || told.empty() || asked == "default_model") return false;
  // A dated version of the name that was asked for, or the last part of a path, is the same.
  const auto last_part = [](std::string_view name) { return name.substr(name.rfind('/') + 1); };
  return !told.starts_with(asked) && last_part(told) != last_part(asked);
}

Attempt<WireCall> write_call(const EndpointSpec& spec, const chat::ChatRequest& request) {
  return spec.kind == Kind::anthropic ? write_messages_call(spec, request) : write_chat_call(spec, request);
}

std::unique_ptr<AnswerReader> make_reader(const EndpointSpec& spec, const chat::ChatRequest& request) {
  return spec.kind == Kind::anthropic ? make_messages_reader(spec, request) : make_chat_reader(spec, request);
}

}  // namespace hearth::upstream
