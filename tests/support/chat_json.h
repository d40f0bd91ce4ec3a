#pragma once
// Conversations for tests, read from JSON in the form of chat completions.

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "hearth/base/json.h"
#include "hearth/chat/format.h"

namespace hearth::test {

inline std::string read_text(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return std::string((std::istreambuf_iterator<char>(file)), {});
}

inline std::string text_member(const Json& object, const char* key) {
  const Json* value = object.find(key);
  return value != nullptr && value->is_string() ? value->as_string() : std::string();
}

inline chat::Tool tool_from_json(const Json& json) {
  const Json* function = json.find("function");
  if (function == nullptr) function = &json;
  const Json* parameters = function->find("parameters");
  return {text_member(*function, "name"), text_member(*function, "description"),
          parameters != nullptr ? *parameters : Json()};
}

inline chat::Message message_from_json(const Json& json) {
  chat::Message out;
  const std::string role = text_member(json, "role");
  out.role = role == "system"      ? chat::Role::system
             : role == "assistant" ? chat::Role::assistant
             : role == "tool"      ? chat::Role::tool
                                   : chat::Role::user;
  out.text = text_member(json, "content");
  out.thinking = text_member(json, "reasoning_content");
  out.call_id = text_member(json, "tool_call_id");
  const Json* calls = json.find("tool_calls");
  if (calls == nullptr || !calls->is_array()) return out;
  for (const Json& call : calls->as_array()) {
    chat::ToolCall& made = out.calls.emplace_back();
    made.id = text_member(call, "id");
    const Json* function = call.find("function");
    if (function == nullptr) continue;
    made.name = text_member(*function, "name");
    const Json* arguments = function->find("arguments");
    if (arguments != nullptr && arguments->is_object()) made.arguments = *arguments;
    if (arguments != nullptr && arguments->is_string()) made.raw_arguments = arguments->as_string();
  }
  return out;
}

inline chat::Conversation conversation_from_json(const Json& json) {
  chat::Conversation out;
  if (const Json* tools = json.find("tools"); tools != nullptr && tools->is_array()) {
    for (const Json& tool : tools->as_array()) out.tools.push_back(tool_from_json(tool));
  }
  if (const Json* messages = json.find("messages"); messages != nullptr && messages->is_array()) {
    for (const Json& message : messages->as_array()) {
      out.messages.push_back(message_from_json(message));
    }
  }
  return out;
}

inline bool flag(const Json& json, const char* key, bool absent) {
  const Json* options = json.find("options");
  const Json* value = options != nullptr ? options->find(key) : nullptr;
  return value != nullptr && value->is_bool() ? value->as_bool() : absent;
}

inline chat::RenderOptions options_from_json(const Json& json) {
  chat::RenderOptions out;
  out.generation_prompt = flag(json, "generation_prompt", true);
  out.thinking = flag(json, "thinking", true);
  out.preserve_thinking = flag(json, "preserve_thinking", false);
  return out;
}

}  // namespace hearth::test
