// How Qwen's prompts declare tools. The wording is part of the format: models were trained on it.
#include <array>

#include "hearth/chat/chatml_format.h"
#include "hearth/chat/python_json.h"
#include "hearth/chat/turn_walk.h"

namespace hearth::chat {
namespace {

constexpr std::string_view hermes_head =
    "# Tools\n\nYou may call one or more functions to assist with the user query.\n\n"
    "You are provided with function signatures within <tools></tools> XML tags:\n<tools>";
constexpr std::string_view hermes_tail =
    "\n</tools>\n\nFor each function call, return a json object with function name and arguments "
    "within <tool_call></tool_call> XML tags:\n<tool_call>\n"
    "{\"name\": <function-name>, \"arguments\": <args-json-object>}\n</tool_call>";
constexpr std::string_view tag_head =
    "# Tools\n\nYou have access to the following functions:\n\n<tools>";
constexpr std::string_view tag_tail =
    "\n</tools>\n\nIf you choose to call a function ONLY reply in the following format with NO "
    "suffix:\n\n<tool_call>\n<function=example_function_name>\n<parameter=example_parameter_1>\n"
    "value_1\n</parameter>\n<parameter=example_parameter_2>\n"
    "This is the value for the second parameter\nthat can span\nmultiple lines\n</parameter>\n"
    "</function>\n</tool_call>\n\n<IMPORTANT>\nReminder:\n- Function calls MUST follow the "
    "specified format: an inner <function=...></function> block must be nested within "
    "<tool_call></tool_call> XML tags\n- Required parameters MUST be specified\n- You may provide "
    "optional reasoning for your function call in natural language BEFORE the function call, but "
    "NOT after\n- If there is no function call available, answer the question like normal with "
    "your current knowledge and do not tell the user about function calls\n</IMPORTANT>";

// str() of a list of strings, as Python prints it.
std::string python_list(const Json::Array& items) {
  std::string out = "[";
  for (const Json& item : items) {
    if (out.size() > 1) out += ", ";
    out += item.is_string() ? "'" + item.as_string() + "'" : python_str(item);
  }
  return out + "]";
}

std::string element(std::string_view tag, std::string_view text) {
  std::string out = "\n<";
  out.append(tag).append(">").append(text).append("</").append(tag).append(">");
  return out;
}

template <std::size_t N>
std::string other_keys(const Json& object, const std::array<std::string_view, N>& handled) {
  std::string out;
  if (!object.is_object()) return out;
  for (const auto& [key, value] : object.as_object()) {
    if (std::find(handled.begin(), handled.end(), key) == handled.end()) {
      out += element(key, python_str(value));
    }
  }
  return out;
}

std::string parameter(const std::string& name, const Json& schema) {
  std::string out = "\n<parameter>" + element("name", name);
  if (const Json* type = schema.find("type")) {
    out += element("type", type->is_array() ? python_list(type->as_array()) : python_str(*type));
  }
  if (const Json* text = schema.find("description"); text != nullptr && text->is_string()) {
    out += element("description", trim(text->as_string()));
  }
  out += other_keys(schema, std::array<std::string_view, 3>{"name", "type", "description"});
  return out + "\n</parameter>";
}

std::string coder_tool(const Tool& tool) {
  std::string out = "\n<function>" + element("name", tool.name);
  if (!tool.description.empty()) out += element("description", trim(tool.description));
  out += "\n<parameters>";
  const Json* properties = tool.parameters.find("properties");
  if (properties != nullptr && properties->is_object()) {
    for (const auto& [name, schema] : properties->as_object()) out += parameter(name, schema);
  }
  out += other_keys(tool.parameters, std::array<std::string_view, 2>{"type", "properties"});
  return out + "\n</parameters>\n</function>";
}

}  // namespace

void chatml_tool_section(SegmentList& list, ChatMlTraits::Tools style,
                         const std::vector<Tool>& tools) {
  const bool hermes = style == ChatMlTraits::Tools::hermes;
  list.wording(hermes ? hermes_head : tag_head);
  for (const Tool& tool : tools) {
    list.foreign(style == ChatMlTraits::Tools::coder ? coder_tool(tool)
                                                     : "\n" + python_json(tool_json(tool)));
  }
  list.wording(hermes ? hermes_tail : tag_tail);
}

}  // namespace hearth::chat
