#include "hearth/gateway/anthropic/request.h"

#include <array>
#include <limits>

#include "hearth/gateway/anthropic/content.h"
#include "hearth/gateway/anthropic/tools.h"

namespace hearth::gateway::anthropic {
namespace {

constexpr std::size_t session_key_bytes_max = 256;
constexpr double temperature_max = 2;
constexpr std::string_view old_session_mark = "_session_";
constexpr std::string_view omit_thinking_key = "omit_thinking";

// Does the conversation end in results of tools, possibly with words after them?
bool ends_in_tool_results(const std::vector<chat::Message>& messages) {
  for (auto message = messages.rbegin(); message != messages.rend(); ++message) {
    if (message->role == chat::Role::tool) return true;
    if (message->role == chat::Role::assistant) return false;
  }
  return false;
}

ApiResult<void> read_thinking(const Json& body, Findings& findings, ChatRequest& out) {
  const Json* thinking = TRY(find_object(body, "thinking"));
  out.thinking = false;
  if (thinking == nullptr) return {};
  const std::string type = TRY(get_field<std::string>(*thinking, "type", "thinking"));
  TRY(find_field<std::uint64_t>(*thinking, "budget_tokens", "thinking"));
  const auto display = TRY(find_field<std::string>(*thinking, "display", "thinking"));
  if (type == "enabled" || type == "adaptive") {
    out.thinking = true;
  } else if (type == "between_tools") {
    out.thinking = ends_in_tool_results(out.conversation.messages);
  } else if (type != "disabled") {
    findings.note("unknown thinking.type, the model does as it is used to", type);
    out.thinking.reset();
  }
  if (display == "omitted") out.extra = Json::object({{std::string(omit_thinking_key), true}});
  return {};
}

ApiResult<chat::ResponseFormat> read_format(const Json* format, const std::string& path) {
  chat::ResponseFormat out;
  if (format == nullptr) return out;
  const std::string type = TRY(get_field<std::string>(*format, "type", path));
  if (type == "text") return out;
  if (type != "json_schema") return refuse(field_path(path, "type"), "expected \"json_schema\"");
  const Json* schema = TRY(find_object(*format, "schema", path));
  if (schema == nullptr) return refuse(field_path(path, "schema"), "is required");
  out.kind = chat::ResponseFormat::Kind::json_schema;
  out.schema = *schema;
  return out;
}

// The effort is read and not followed: the prompt must not depend on it.
ApiResult<void> read_output(const Json& body, ChatRequest& out) {
  const Json* older = TRY(find_object(body, "output_format"));
  out.response_format = TRY(read_format(older, "output_format"));
  const Json* config = TRY(find_object(body, "output_config"));
  if (config == nullptr) return {};
  TRY(find_field<std::string>(*config, "effort", "output_config"));
  const Json* format = TRY(find_object(*config, "format", "output_config"));
  if (format == nullptr) return {};
  out.response_format = TRY(read_format(format, "output_config.format"));
  return {};
}

ApiResult<std::optional<double>> number_between(const Json& body, std::string_view key,
                                                double largest) {
  auto number = TRY(find_field<double>(body, key));
  if (number && !(*number >= 0 && *number <= largest)) {
    return refuse(std::string(key),
                  "expected a number from 0 to " + std::to_string(static_cast<int>(largest)));
  }
  return number;
}

ApiResult<void> read_sampling(const Json& body, ChatRequest& out) {
  out.sampling.temperature = TRY(number_between(body, "temperature", temperature_max));
  out.sampling.top_p = TRY(number_between(body, "top_p", 1));
  const auto top_k = TRY(find_field<std::uint64_t>(body, "top_k"));
  if (top_k) {
    constexpr std::uint64_t largest = std::numeric_limits<int>::max();
    out.sampling.top_k = static_cast<int>(std::min(*top_k, largest));
  }
  return {};
}

ApiResult<void> read_limits(const Json& body, bool counting, ChatRequest& out) {
  const auto tokens_max = TRY(find_field<std::uint64_t>(body, "max_tokens"));
  if (!tokens_max && !counting) return refuse("max_tokens", "is required");
  if (tokens_max) {
    constexpr std::uint64_t largest = std::numeric_limits<std::uint32_t>::max();
    out.tokens_max = static_cast<std::uint32_t>(std::min(*tokens_max, largest));
  }
  const Json* stops = TRY(find_array(body, "stop_sequences"));
  for (std::size_t i = 0; stops != nullptr && i < stops->as_array().size(); ++i) {
    const Json& stop = stops->as_array()[i];
    const std::string path = item_path("stop_sequences", i);
    if (!stop.is_string()) {
      return refuse(path, "expected a string, got " + std::string(stop.kind_name()));
    }
    if (stop.as_string().empty()) return refuse(path, "is empty");
    out.stop_strings.push_back(stop.as_string());
  }
  return {};
}

// user_id is JSON in a string, {"session_id": ...}; older clients wrote user_..._session_ID.
std::string session_of(const std::string& user_id) {
  std::string key;
  if (const auto json = parse_json(user_id); json && json->is_object()) {
    const Json* session = json->find("session_id");
    if (session != nullptr && session->is_string()) key = session->as_string();
  } else if (const auto mark = user_id.rfind(old_session_mark); mark != std::string::npos) {
    key = user_id.substr(mark + old_session_mark.size());
  }
  return key.size() <= session_key_bytes_max ? key : std::string();
}

ApiResult<void> read_metadata(const Json& body, ChatRequest& out) {
  const Json* metadata = TRY(find_object(body, "metadata"));
  if (metadata == nullptr) return {};
  const auto user_id = TRY(find_field<std::string>(*metadata, "user_id", "metadata"));
  if (user_id) out.session_key = session_of(*user_id);
  return {};
}

}  // namespace

ApiResult<ChatRequest> read_request(const Json& body, bool counting) {
  if (!body.is_object()) {
    return refuse("", "the body must be a JSON object, got " + std::string(body.kind_name()));
  }
  ChatRequest out;
  Findings findings;
  out.model = TRY(get_field<std::string>(body, "model"));
  TRY(read_limits(body, counting, out));
  findings.look_for_cache_mark(body);
  out.conversation.messages = TRY(read_messages(body, findings));
  out.conversation.tools = TRY(read_tools(body, findings));
  out.tool_choice = TRY(read_tool_choice(body, out.conversation.tools));
  TRY(read_thinking(body, findings, out));
  TRY(read_output(body, out));
  TRY(read_sampling(body, out));
  TRY(read_metadata(body, out));
  const auto stream = TRY(find_field<bool>(body, "stream"));
  out.stream = stream.value_or(false);
  out.marks_cache = findings.marks_cache;
  out.notes = std::move(findings.notes);
  return out;
}

bool omits_thinking_text(const ChatRequest& request) {
  const Json* omit = request.extra.find(omit_thinking_key);
  return omit != nullptr && omit->is_bool() && omit->as_bool();
}

bool is_prewarm(const ChatRequest& request) { return request.tokens_max == 0u; }

}  // namespace hearth::gateway::anthropic
