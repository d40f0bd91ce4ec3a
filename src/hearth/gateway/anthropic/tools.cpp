#include "hearth/gateway/anthropic/tools.h"

#include <set>

#include "hearth/chat/client_tools.h"

namespace hearth::gateway::anthropic {
namespace {

ApiResult<chat::Tool> custom_tool(const Json& json, const std::string& path) {
  chat::Tool out;
  out.name = TRY(get_field<std::string>(json, "name", path));
  if (out.name.empty()) return refuse(field_path(path, "name"), "is empty");
  const auto description = TRY(find_field<std::string>(json, "description", path));
  out.description = description.value_or("");
  const Json* schema = TRY(find_object(json, "input_schema", path));
  if (schema != nullptr) out.parameters = *schema;
  out.parameters_path = field_path(path, "input_schema");
  return out;
}

// nullopt: not for the model.
ApiResult<std::optional<chat::Tool>> read_tool(const Json& json, const std::string& path,
                                               Findings& findings) {
  TRY(expect_object(json, path));
  findings.look_for_cache_mark(json);
  const auto type = TRY(find_field<std::string>(json, "type", path));
  const bool custom = !type || *type == "custom" || json.find("input_schema") != nullptr;
  if (custom) {
    chat::Tool tool = TRY(custom_tool(json, path));
    return tool;
  }
  std::optional<chat::Tool> tool = chat::client_tool(*type);
  if (!tool) {
    findings.note("tool not declared, it runs on servers of another make", *type);
    return tool;
  }
  const auto name = TRY(find_field<std::string>(json, "name", path));
  if (name && !name->empty()) tool->name = *name;
  return tool;
}

bool is_referenced(const Findings& findings, const std::string& name) {
  const auto& names = findings.referenced_tools;
  return std::find(names.begin(), names.end(), name) != names.end();
}

}  // namespace

ApiResult<std::vector<chat::Tool>> read_tools(const Json& body, Findings& findings) {
  std::vector<chat::Tool> out;
  const Json* tools = TRY(find_array(body, "tools"));
  if (tools == nullptr) return out;
  std::set<std::string> names;
  for (std::size_t i = 0; i < tools->as_array().size(); ++i) {
    const Json& json = tools->as_array()[i];
    const std::string path = item_path("tools", i);
    std::optional<chat::Tool> tool = TRY(read_tool(json, path, findings));
    if (!tool) continue;
    const auto deferred = TRY(find_field<bool>(json, "defer_loading", path));
    if (deferred.value_or(false) && !is_referenced(findings, tool->name)) {
      findings.note("tool not declared, its loading is deferred");
      continue;
    }
    if (!names.insert(tool->name).second) {
      return refuse(field_path(path, "name"),
                    "another tool has the name '" + tool->name + "'; names must be unique");
    }
    out.push_back(*std::move(tool));
  }
  return out;
}

ApiResult<chat::ToolChoice> read_tool_choice(const Json& body,
                                             const std::vector<chat::Tool>& tools) {
  using Kind = chat::ToolChoice::Kind;
  chat::ToolChoice out;
  const Json* choice = TRY(find_object(body, "tool_choice"));
  if (choice == nullptr) return out;
  const std::string type = TRY(get_field<std::string>(*choice, "type", "tool_choice"));
  const auto serial = TRY(find_field<bool>(*choice, "disable_parallel_tool_use", "tool_choice"));
  out.parallel = !serial.value_or(false);
  if (type == "auto" || type == "none") {
    out.kind = type == "auto" ? Kind::automatic : Kind::none;
    return out;
  }
  if (type != "any" && type != "tool") {
    return refuse("tool_choice.type", "expected \"auto\", \"any\", \"tool\" or \"none\"");
  }
  if (type == "any") {
    if (tools.empty()) return refuse("tool_choice", "demands a tool, but none is declared in tools");
    out.kind = Kind::required;
    return out;
  }
  out.kind = Kind::named;
  out.name = TRY(get_field<std::string>(*choice, "name", "tool_choice"));
  const bool known = std::any_of(tools.begin(), tools.end(),
                                 [&](const chat::Tool& tool) { return tool.name == out.name; });
  if (!known) {
    return refuse("tool_choice.name", "no tool '" + out.name + "' that runs on the client's side "
                                          "is declared in tools");
  }
  return out;
}

}  // namespace hearth::gateway::anthropic
