#include "hearth/chat/constraint.h"

#include <fmt/format.h>

#include <algorithm>

#include "hearth/chat/schema_grammar.h"

namespace hearth::chat {
namespace {

constexpr std::string_view think_end = "</think>";

std::string escape_pattern(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (std::string_view("\\^$.|?*+()[]{}").find(c) != std::string_view::npos) out += '\\';
    out += c;
  }
  return out;
}

Result<std::vector<Tool>> callable_tools(const ConstraintRequest& request) {
  const auto kind = request.choice.kind;
  if (kind == ToolChoice::Kind::none) return std::vector<Tool>();
  if (kind == ToolChoice::Kind::named) {
    const auto named = std::find_if(request.tools.begin(), request.tools.end(),
                                    [&](const Tool& t) { return t.name == request.choice.name; });
    if (named == request.tools.end()) {
      return fail(Code::invalid_argument,
                  fmt::format("tool_choice names '{}', but no such tool is declared",
                              request.choice.name));
    }
    return std::vector<Tool>{*named};
  }
  if (kind == ToolChoice::Kind::required && request.tools.empty()) {
    return fail(Code::invalid_argument, "tool_choice requires a call, but no tools are declared");
  }
  return request.tools;
}

Result<std::string> arguments_rule(GbnfBuilder& grammar, const Format& format, const Tool& tool,
                                   const std::string& path, SchemaWork& work) {
  const bool tags = format.raw_string_arguments();
  if (tool.parameters.is_null()) return tags ? "\"\"" : free_object_rule(grammar);
  const Schema schema = TRY(Schema::compile(tool.parameters, path, work));
  const auto kind = schema.resolved(schema.root()).kind;
  if (kind == SchemaNode::Kind::any) return tags ? "\"\"" : free_object_rule(grammar);
  if (tags) return tag_arguments_rule(grammar, schema, path);
  if (kind != SchemaNode::Kind::object) {
    return fail(Code::unsupported,
                fmt::format("{}: the arguments of a tool must be described by one object", path));
  }
  return value_rule(grammar, schema, path);
}

Result<std::string> section_rule(GbnfBuilder& grammar, const Format& format,
                                 const std::vector<Tool>& tools,
                                 const ConstraintRequest& request, SchemaWork& work) {
  std::vector<std::string> arguments;
  for (const Tool& tool : tools) {
    const auto at = std::find(request.tools.begin(), request.tools.end(), tool);
    const std::string path = tool.parameters_path.empty()
                                 ? fmt::format("tools[{}].parameters", at - request.tools.begin())
                                 : tool.parameters_path;
    arguments.push_back(TRY(arguments_rule(grammar, format, tool, path, work)));
  }
  return format.call_section(grammar, {tools, arguments, request.calls_before,
                                       request.choice.parallel});
}

Result<std::string> response_rule(GbnfBuilder& grammar, const ResponseFormat& response, SchemaWork& work) {
  static constexpr std::string_view path = "response_format.schema";
  if (response.kind == ResponseFormat::Kind::json_object) return free_object_rule(grammar);
  const Schema schema = TRY(Schema::compile(response.schema, path, work));
  return value_rule(grammar, schema, path);
}

void add_trigger(Constraint& out, const Format::Trigger& trigger,
                 const GbnfBuilder::TokenId& token_id) {
  if (trigger.markers.empty()) {
    out.trigger_patterns.push_back(trigger.pattern);
    return;
  }
  std::string spelled;
  bool last_is_token = false;
  for (const std::string_view marker : trigger.markers) {
    const auto id = token_id ? token_id(marker) : std::nullopt;
    last_is_token = id.has_value();
    if (id) {
      out.trigger_tokens.push_back(*id);
    } else {
      spelled += (spelled.empty() ? "" : "|") + escape_pattern(marker);
    }
  }
  // A pattern is searched in the whole answer at each token: not where a token says as much.
  if (!spelled.empty() && !last_is_token) {
    out.trigger_patterns.push_back("(" + spelled + ")");
  }
}

}  // namespace

Result<std::optional<Constraint>> make_constraint(const Format& format,
                                                  const ConstraintRequest& request) {
  const std::vector<Tool> tools = TRY(callable_tools(request));
  const bool json = request.response.kind != ResponseFormat::Kind::text;
  if (tools.empty() && !json) return std::optional<Constraint>();
  const bool forced = request.choice.kind == ToolChoice::Kind::required ||
                      request.choice.kind == ToolChoice::Kind::named;
  GbnfBuilder grammar(request.token_id);
  SchemaWork work;
  std::string root;
  if (!tools.empty()) root = TRY(section_rule(grammar, format, tools, request, work));
  if (json && !forced) {
    const std::string answer = TRY(response_rule(grammar, request.response, work));
    root = root.empty() ? answer : "(" + root + " | " + answer + ")";
  }
  Constraint out;
  const bool free_until_call = !json && !forced;
  const bool thinks_first = format.can_think() && request.thinking;
  if (!free_until_call && thinks_first) {
    // Free inside the thinking block, held from its end on, or from a call inside it.
    root = "(" + grammar.marker(think_end) + " \"\\n\"{0,2})? " + root;
    add_trigger(out, {{think_end}, {}}, request.token_id);
  }
  out.lazy = free_until_call || thinks_first;
  if (out.lazy && !tools.empty()) add_trigger(out, format.call_trigger(), request.token_id);
  out.grammar = TRY(grammar.text(root));
  return std::optional<Constraint>(std::move(out));
}

}  // namespace hearth::chat
