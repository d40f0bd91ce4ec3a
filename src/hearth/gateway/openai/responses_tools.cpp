#include "hearth/gateway/openai/responses_tools.h"

namespace hearth::gateway::openai {
namespace {

class Reader {
 public:
  explicit Reader(Notes& notes) : notes_(notes) {}

  ApiResult<void> read(const Json& json, const std::string& path) {
    TRY(expect_object(json, path));
    const std::string type = TRY(get_field<std::string>(json, "type", path));
    if (type == "function") return add_function(json, path, "");
    if (type == "custom") return add_custom(json, path);
    if (type == "namespace") return add_group(json, path);
    notes_.note("tool not declared, it would run on a server", type);
    return {};
  }
  ResponsesTools take() { return std::move(out_); }

 private:
  ApiResult<void> add_function(const Json& json, const std::string& path, const std::string& group) {
    chat::Tool tool = TRY(read_function(json, path));
    if (!group.empty()) {
      Json parts = Json::array({group, tool.name});
      tool.name = grouped_name(group, tool.name);
      out_.grouped.set(tool.name, std::move(parts));
    }
    return out_.tools.add(std::move(tool), path);
  }

  // The grammar of a custom tool's text is not enforced, so the model is told of it.
  static ApiResult<std::string> read_text_format(const Json& json, const std::string& path) {
    const Json* format = TRY(find_object(json, "format", path));
    if (format == nullptr) return std::string();
    const std::string format_path = field_path(path, "format");
    const auto syntax = TRY(find_field<std::string>(*format, "syntax", format_path));
    const auto definition = TRY(find_field<std::string>(*format, "definition", format_path));
    if (!definition || definition->empty()) return std::string();
    return "\n\nGrammar of the input (" + syntax.value_or("grammar") + "):\n" + *definition;
  }

  ApiResult<void> add_custom(const Json& json, const std::string& path) {
    chat::Tool tool;
    tool.name = TRY(get_field<std::string>(json, "name", path));
    if (tool.name.empty()) return refuse(field_path(path, "name"), "is empty");
    const auto description = TRY(find_field<std::string>(json, "description", path));
    const std::string format = TRY(read_text_format(json, path));
    tool.description = description.value_or("") + format;
    tool.parameters = Json::object(
        {{"type", "object"},
         {"properties", Json::object({{"input", Json::object({{"type", "string"}})}})},
         {"required", Json::array({"input"})},
         {"additionalProperties", false}});
    out_.custom.set(tool.name, true);
    return out_.tools.add(std::move(tool), path);
  }

  ApiResult<void> add_group(const Json& json, const std::string& path) {
    const std::string group = TRY(get_field<std::string>(json, "name", path));
    const Json* members = TRY(find_array(json, "tools", path));
    const std::string members_path = field_path(path, "tools");
    for (std::size_t i = 0; members != nullptr && i < members->as_array().size(); ++i) {
      const Json& member = members->as_array()[i];
      const std::string member_path = item_path(members_path, i);
      TRY(expect_object(member, member_path));
      const auto type = TRY(find_field<std::string>(member, "type", member_path));
      if (type.value_or("function") != "function") {
        notes_.note("tool of a namespace not declared", *type);
        continue;
      }
      TRY(add_function(member, member_path, group));
    }
    return {};
  }

  Notes& notes_;
  ResponsesTools out_;
};

}  // namespace

std::string grouped_name(std::string_view group, std::string_view name) {
  return std::string(group) + "__" + std::string(name);
}

ApiResult<ResponsesTools> read_responses_tools(const Json& body, Notes& notes) {
  Reader reader(notes);
  const Json* tools = TRY(find_array(body, "tools"));
  for (std::size_t i = 0; tools != nullptr && i < tools->as_array().size(); ++i) {
    TRY(reader.read(tools->as_array()[i], item_path("tools", i)));
  }
  return reader.take();
}

ApiResult<chat::ToolChoice> read_responses_choice(const Json& body, const ToolList& tools,
                                                  Notes& notes) {
  return read_tool_choice(body, tools, [&](const Json& choice, const std::string& type) -> ApiResult<chat::ToolChoice> {
    if (type != "function" && type != "custom") {
      notes.note("tool_choice not followed", type);
      return chat::ToolChoice();
    }
    std::string name = TRY(get_field<std::string>(choice, "name", "tool_choice"));
    return named_choice(std::move(name), "tool_choice.name", tools);
  });
}

}  // namespace hearth::gateway::openai
