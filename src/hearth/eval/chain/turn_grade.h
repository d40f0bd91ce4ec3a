#pragma once
// What is wrong with a model's turn in a chain, if anything. Classes exclude each other; the first that
// fits, in the order of the enumeration, is the one. Pure.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hearth/eval/chain/world.h"

namespace hearth::eval {

enum class ChainError : std::uint8_t {
  none,
  transport,       // the engine, the network: no answer, after retries
  template_leak,   // markup of the chat format in the text
  call_as_text,    // a call in thinking or in the text
  bad_json,        // arguments that are no JSON object
  unknown_tool,    // a name that no tool has
  schema_invalid,  // a missing, surplus or wrongly typed argument
  loop,            // the same call for the third time in a row
  duplicate,       // a step that is done, called again as it was
  wrong_order,     // the right call of a later step
  wrong_tool,
  stale_value,            // an older ticket in place of the one that is due
  hallucinated_argument,  // a value that nobody gave
  false_success,          // DONE, though steps are left
  premature_stop,         // no call, though steps are left
};
inline constexpr std::size_t chain_errors = 15;
std::string_view chain_error_name(ChainError error);
std::optional<ChainError> error_of_name(std::string_view name);

// One answer of the model, whatever its API.
struct ModelTurn {
  std::string text, thinking;
  std::vector<chat::ToolCall> calls;
  bool failed = false;  // no answer at all
};

// Of a turn without calls; never `none`.
ChainError grade_words(const ModelTurn& turn, const std::vector<chat::Tool>& tools);

// What was called so far; one for a conversation.
struct CallHistory {
  std::uint32_t done = 0;                // steps
  std::vector<chat::ToolCall> right;     // the calls that did them
  std::vector<chat::ToolCall> in_a_row;  // equal calls, the latest ones
};
// `call` is not yet in the history.
ChainError grade_call(const ChainWorld& world, const CallHistory& history,
                      const chat::ToolCall& call);
// What the tool answers to a call of that grade; of the right one the world's result.
std::string answer_of_tool(const ChainWorld& world, const CallHistory& history, ChainError error);

}  // namespace hearth::eval
