#include "hearth/eval/chain/turn_grade.h"

#include <algorithm>
#include <array>
#include <optional>

namespace hearth::eval {
namespace {

constexpr std::size_t loop_calls = 3;

// Markup of the formats that are about; none of it belongs into text.
constexpr std::array<std::string_view, 13> leaks = {
    "<|tool_call",         "<|im_end|>",    "<|im_start|>",    "<|im_middle|>", "<tool_call>",
    "</tool_call>",        "<function=",    "<|python_tag|>",  "[TOOL_CALLS]",  "<|eot_id|>",
    "<|start_header_id|>", "<invoke name=", "<function_calls>"};

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

// A tool's name with something like arguments after it, or the JSON of a call.
bool looks_like_a_call(std::string_view text, const std::vector<chat::Tool>& tools) {
  for (const chat::Tool& tool : tools) {
    for (std::size_t at = text.find(tool.name); at != std::string_view::npos;
         at = text.find(tool.name, at + 1)) {
      const std::string_view after = text.substr(at + tool.name.size());
      if (after.starts_with('(') || after.starts_with("\"") || after.starts_with("{") ||
          after.starts_with(" {")) {
        return true;
      }
    }
  }
  return contains(text, "\"ticket\"") && contains(text, "{");
}

bool same_call(const chat::ToolCall& a, const chat::ToolCall& b) {
  return a.name == b.name && a.arguments == b.arguments && a.raw_arguments == b.raw_arguments;
}

bool fits_schema(const Json& arguments) {
  bool item = false, amount = false, ticket = false;
  for (const auto& [key, value] : arguments.as_object()) {
    if (key == "item" && value.is_string()) item = true;
    else if (key == "amount" && value.is_integer()) amount = true;
    else if (key == "ticket" && value.is_string()) ticket = true;
    else if (key != "proof" || !value.is_string()) return false;
  }
  return item && amount && ticket;
}

// Without tickets: which piece of work it is.
bool is_work_of(const ChainStep& step, const chat::ToolCall& call) {
  return call.name == step.tool && *call.arguments.find("item") == Json(step.item) &&
         *call.arguments.find("amount") == Json(step.amount);
}

ChainError grade_ticket(const ChainWorld& world, std::uint32_t index, const Json* shown,
                        const std::string* due) {
  if (shown == nullptr && due == nullptr) return ChainError::none;
  if (shown == nullptr) return ChainError::schema_invalid;
  if (due != nullptr && shown->as_string() == *due) return ChainError::none;
  return world.was_given_out(shown->as_string(), index) ? ChainError::stale_value
                                                        : ChainError::hallucinated_argument;
}

ChainError grade_values(const ChainWorld& world, std::uint32_t index, const chat::ToolCall& call) {
  const ChainStep& step = world.step(index);
  std::optional<std::string> proof;
  if (step.proof_back > 0) proof = world.ticket(index - step.proof_back + 1);
  const Json* shown_proof = call.arguments.find("proof");
  if (!proof && shown_proof != nullptr && shown_proof->as_string().empty()) shown_proof = nullptr;
  const std::array<ChainError, 2> tickets = {
      grade_ticket(world, index, call.arguments.find("ticket"), &world.ticket(index)),
      grade_ticket(world, index, shown_proof, proof ? &*proof : nullptr)};
  for (const ChainError kind :
       {ChainError::schema_invalid, ChainError::stale_value, ChainError::hallucinated_argument}) {
    if (std::ranges::find(tickets, kind) != tickets.end()) return kind;
  }
  return is_work_of(step, call) ? ChainError::none : ChainError::hallucinated_argument;
}

}  // namespace

std::string_view chain_error_name(ChainError error) {
  static constexpr std::array<std::string_view, chain_errors> names = {"none",
                                                                       "transport",
                                                                       "template_leak",
                                                                       "call_as_text",
                                                                       "bad_json",
                                                                       "unknown_tool",
                                                                       "schema_invalid",
                                                                       "loop",
                                                                       "duplicate",
                                                                       "wrong_order",
                                                                       "wrong_tool",
                                                                       "stale_value",
                                                                       "hallucinated_argument",
                                                                       "false_success",
                                                                       "premature_stop"};
  return names[static_cast<std::size_t>(error)];
}

std::optional<ChainError> error_of_name(std::string_view name) {
  for (std::size_t i = 0; i < chain_errors; ++i) {
    if (chain_error_name(static_cast<ChainError>(i)) == name) return static_cast<ChainError>(i);
  }
  return {};
}

ChainError grade_words(const ModelTurn& turn, const std::vector<chat::Tool>& tools) {
  if (turn.failed) return ChainError::transport;
  for (const std::string_view leak : leaks) {
    if (contains(turn.text, leak) || contains(turn.thinking, leak)) {
      return ChainError::template_leak;
    }
  }
  // Thinking may name a tool and its arguments on the way to a call; only without one it is a call lost.
  if (looks_like_a_call(turn.text, tools) || looks_like_a_call(turn.thinking, tools)) {
    return ChainError::call_as_text;
  }
  return contains(turn.text, "DONE") ? ChainError::false_success : ChainError::premature_stop;
}

ChainError grade_call(const ChainWorld& world, const CallHistory& history,
                      const chat::ToolCall& call) {
  if (!call.raw_arguments.empty() || !call.arguments.is_object()) return ChainError::bad_json;
  if (std::ranges::none_of(world.tools(),
                           [&](const chat::Tool& tool) { return tool.name == call.name; })) {
    return ChainError::unknown_tool;
  }
  if (!fits_schema(call.arguments)) return ChainError::schema_invalid;
  const bool repeats = !history.in_a_row.empty() && same_call(history.in_a_row.back(), call);
  if (repeats && history.in_a_row.size() + 1 >= loop_calls) return ChainError::loop;
  if (std::ranges::any_of(history.right,
                          [&](const chat::ToolCall& right) { return same_call(right, call); })) {
    return ChainError::duplicate;
  }
  const std::uint32_t index = history.done;
  if (index >= world.calls()) return ChainError::wrong_tool;
  if (is_work_of(world.step(index), call)) return grade_values(world, index, call);
  for (std::uint32_t later = index + 1; later < world.calls(); ++later) {
    if (is_work_of(world.step(later), call)) return ChainError::wrong_order;
  }
  return call.name == world.step(index).tool ? grade_values(world, index, call)
                                             : ChainError::wrong_tool;
}

std::string answer_of_tool(const ChainWorld& world, const CallHistory& history, ChainError error) {
  switch (error) {
    case ChainError::none: return world.result(history.done);
    case ChainError::bad_json: return refusal("the arguments are not a JSON object");
    case ChainError::unknown_tool: return refusal("there is no such tool");
    case ChainError::schema_invalid:
      return refusal("an argument is missing, too much or of the wrong type");
    case ChainError::duplicate:
    case ChainError::loop: return refusal("this was done already");
    case ChainError::stale_value: return refusal("this ticket was used before");
    case ChainError::hallucinated_argument:
      return refusal(
          "this is not the ticket that was given, or not the item or amount of this step");
    default: return refusal("this is not the step that is due");
  }
}

}  // namespace hearth::eval
