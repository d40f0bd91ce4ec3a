#include "hearth/gateway/openai/tools.h"

namespace hearth::gateway::openai {
namespace {

using Kind = chat::ToolChoice::Kind;

ApiResult<Kind> choice_kind(const std::string& word, const ToolList& tools) {
  if (word == "auto") return Kind::automatic;
  if (word == "none") return Kind::none;
  if (word != "required") {
    return refuse("tool_choice", "expected \"auto\", \"none\", \"required\" or a function");
  }
  if (tools.empty()) return refuse("tool_choice", "demands a call, but no tool is declared");
  return Kind::required;
}

}  // namespace

ApiResult<void> ToolList::add(chat::Tool tool, const std::string& path) {
  if (!names_.insert(tool.name).second) {
    return refuse(field_path(path, "name"),
                  "another tool has the name '" + tool.name + "'; names must be unique");
  }
  tools_.push_back(std::move(tool));
  return {};
}

ApiResult<chat::Tool> read_function(const Json& json, const std::string& path) {
  chat::Tool out;
  out.name = TRY(get_field<std::string>(json, "name", path));
  if (out.name.empty()) return refuse(field_path(path, "name"), "is empty");
  const auto description = TRY(find_field<std::string>(json, "description", path));
  out.description = description.value_or("");
  const Json* parameters = TRY(find_object(json, "parameters", path));
  if (parameters != nullptr) out.parameters = *parameters;
  out.parameters_path = field_path(path, "parameters");
  return out;
}

ApiResult<const Json*> find_function(const Json& json, const std::string& path) {
  TRY(expect_object(json, path));
  const auto type = TRY(find_field<std::string>(json, "type", path));
  if (type.value_or("function") != "function") {
    return refuse(field_path(path, "type"), "expected \"function\"");
  }
  const std::string function_path = field_path(path, "function");
  const Json* function = TRY(find_object(json, "function", path));
  if (function == nullptr) return refuse(function_path, "is required");
  return function;
}

ApiResult<chat::ToolChoice> read_tool_choice(const Json& body, const ToolList& tools, const ReadNamedChoice& read_object) {
  chat::ToolChoice out;
  const Json* choice = body.find("tool_choice");
  if (choice == nullptr || choice->is_null()) return out;
  if (choice->is_string()) {
    out.kind = TRY(choice_kind(choice->as_string(), tools));
    return out;
  }
  TRY(expect_object(*choice, "tool_choice"));
  const std::string type = TRY(get_field<std::string>(*choice, "type", "tool_choice"));
  return read_object(*choice, type);
}

ApiResult<chat::ToolChoice> named_choice(std::string name, const std::string& path,
                                         const ToolList& tools) {
  if (!tools.has(name)) {
    return refuse(path, "no function '" + name + "' is declared in tools");
  }
  return chat::ToolChoice{.kind = Kind::named, .name = std::move(name)};
}

void set_arguments(chat::ToolCall& call, const std::string& text) {
  if (text.empty()) return;  // some clients write a call without arguments like that
  auto json = parse_json(text);
  if (json && json->is_object()) {
    call.arguments = *std::move(json);
  } else {
    call.raw_arguments = text;
  }
}

}  // namespace hearth::gateway::openai
