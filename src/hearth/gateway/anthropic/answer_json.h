#pragma once
// The parts that the streamed and the whole answer have in common. Members that are null here are
// ones that type files of @anthropic-ai/sdk 1.12.0 have as always present.

#include "hearth/gateway/api.h"

namespace hearth::gateway::anthropic {

// The three input counts add up to prompt_tokens: what was there is cache_read, what was computed
// is cache_creation when the client marks what to cache, plain input otherwise.
Json usage_json(const Usage& usage, bool marks_cache);
// The same without what only message_start tells.
Json delta_usage_json(const Usage& usage, bool marks_cache);

std::string_view stop_reason(AnswerEnd::Reason reason);
// Null when it was no stop string.
Json stop_sequence(const AnswerEnd& end);

Json text_block(std::string_view text);
Json thinking_block(std::string_view thinking, std::string_view signature);
Json tool_use_block(const AnswerEvent& call, Json input);
// Always a JSON object; what is none is wrapped in the way in which clients hand it back.
Json call_input(const AnswerEvent& call);
// The same as text, as the model wrote it.
std::string call_input_text(const AnswerEvent& call);

// A message without content and without an end.
Json message_json(const AnswerInfo& info, Json usage);
// What a request with max_tokens 0 ends with, whatever the model did.
AnswerEnd prewarm_end(const AnswerEnd& end);

Json whole_message(const AnswerInfo& info, const ChatRequest& request, const WholeAnswer& answer);

}  // namespace hearth::gateway::anthropic
