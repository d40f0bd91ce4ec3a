#pragma once
// Counts of tokens as these dialects write them: the prompt's count holds the cached ones, the
// answer's holds thinking. And what an answer took, as llama-server names it.

#include "hearth/gateway/api.h"

namespace hearth::gateway::openai {

// Of chat and plain completions.
Json completion_usage_json(const Usage& usage);
Json response_usage_json(const Usage& usage);

// "timings", and "hand_off" where something was brought in: members of an answer's last chunk, or of a whole one.
// Nothing where the times are not known.
void set_timings(const AnswerEnd& end, Json& answer);

}  // namespace hearth::gateway::openai
