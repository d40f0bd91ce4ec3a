#include "hearth/gateway/openai/chat_messages.h"

#include "hearth/gateway/openai/content.h"
#include "hearth/gateway/openai/tools.h"

namespace hearth::gateway::openai {
namespace {

using chat::Message;
using chat::Role;

ApiResult<std::string> content_of(const Json& message, const std::string& path,
                                  std::string_view between, Notes& notes) {
  const Json* content = message.find("content");
  if (content == nullptr) return std::string();
  return read_text(*content, field_path(path, "content"), between, notes);
}

ApiResult<chat::ToolCall> read_call(const Json& json, const std::string& path) {
  const Json* function = TRY(find_function(json, path));
  const std::string function_path = field_path(path, "function");
  chat::ToolCall out;
  out.id = TRY(get_field<std::string>(json, "id", path));
  out.name = TRY(get_field<std::string>(*function, "name", function_path));
  const auto arguments = TRY(find_field<std::string>(*function, "arguments", function_path));
  set_arguments(out, arguments.value_or(""));
  return out;
}

// Thinking comes back under the name under which it went out, or under that of other servers.
ApiResult<std::string> read_reasoning(const Json& json, const std::string& path) {
  const auto ours = TRY(find_field<std::string>(json, "reasoning_content", path));
  if (ours) return *ours;
  const Json* other = json.find("reasoning");
  return other != nullptr && other->is_string() ? other->as_string() : std::string();
}

ApiResult<Message> read_assistant(const Json& json, const std::string& path, Notes& notes) {
  Message out{.role = Role::assistant};
  out.text = TRY(content_of(json, path, between_model_parts, notes));
  if (out.text.empty()) {
    const auto refusal = TRY(find_field<std::string>(json, "refusal", path));
    out.text = refusal.value_or("");
  }
  out.thinking = TRY(read_reasoning(json, path));
  if (const Json* old = json.find("function_call"); old != nullptr && !old->is_null()) {
    return refuse(field_path(path, "function_call"), "is not read here; use tool_calls");
  }
  const Json* calls = TRY(find_array(json, "tool_calls", path));
  const std::string calls_path = field_path(path, "tool_calls");
  for (std::size_t i = 0; calls != nullptr && i < calls->as_array().size(); ++i) {
    chat::ToolCall call = TRY(read_call(calls->as_array()[i], item_path(calls_path, i)));
    out.calls.push_back(std::move(call));
  }
  return out;
}

ApiResult<Message> read_tool_result(const Json& json, const std::string& path, Notes& notes) {
  Message out{.role = Role::tool};
  out.call_id = TRY(get_field<std::string>(json, "tool_call_id", path));
  out.text = TRY(content_of(json, path, between_user_parts, notes));
  return out;
}

ApiResult<Message> read_message(const Json& json, const std::string& path, Notes& notes) {
  TRY(expect_object(json, path));
  const std::string role = TRY(get_field<std::string>(json, "role", path));
  if (role == "assistant") return read_assistant(json, path, notes);
  if (role == "tool") return read_tool_result(json, path, notes);
  Message out;
  if (role == "system" || role == "developer") {
    out.role = Role::system;
  } else if (role != "user") {
    return refuse(field_path(path, "role"),
                  "expected \"system\", \"developer\", \"user\", \"assistant\" or \"tool\"");
  }
  const Json* content = json.find("content");
  if (content == nullptr || content->is_null()) {
    return refuse(field_path(path, "content"), "is required");
  }
  out.text = TRY(content_of(json, path, between_user_parts, notes));
  return out;
}

}  // namespace

ApiResult<std::vector<Message>> read_chat_messages(const Json& body, Notes& notes) {
  const Json* messages = TRY(find_array(body, "messages"));
  if (messages == nullptr || messages->as_array().empty()) {
    return refuse("messages", "at least one message is required");
  }
  std::vector<Message> out;
  for (std::size_t i = 0; i < messages->as_array().size(); ++i) {
    Message message =
        TRY(read_message(messages->as_array()[i], item_path("messages", i), notes));
    out.push_back(std::move(message));
  }
  return out;
}

}  // namespace hearth::gateway::openai
