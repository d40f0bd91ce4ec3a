#pragma once
// Output items of the Responses API and the response object around them.

#include "hearth/gateway/api.h"

namespace hearth::gateway::openai {

// An item being written: what it holds so far. `id` is the item's own.
struct OutputItem {
  enum class Kind : std::uint8_t { reasoning, message, function_call, custom_call };
  Kind kind = Kind::message;
  std::string id;
  std::string text;    // reasoning, message: all of it; calls: arguments or input
  std::string handle;  // reasoning
  bool as_summary = false;  // reasoning
  std::string call_id, name, group;  // calls
  Json logprobs = Json::array();     // message
};

// "msg_ANSWER_2": an item's place in its answer. Answers have ids of letters and digits.
std::string item_id(std::string_view prefix, std::string_view answer, std::size_t index);
// The answer in such an id; empty for ids that we did not make.
std::string_view answer_of_item(std::string_view id);

Json item_json(const OutputItem& item, std::string_view status);
// The one part of a message or of a reasoning item.
Json part_json(const OutputItem& item, std::string_view text);

// Everything but status, output, usage and errors, which the caller sets.
Json response_head(const AnswerInfo& info, const ChatRequest& request);

}  // namespace hearth::gateway::openai
