#pragma once
// Counts of tokens as these dialects write them: the prompt's count holds the cached ones, the
// answer's holds thinking.

#include "hearth/gateway/api.h"

namespace hearth::gateway::openai {

// Of chat and plain completions.
Json completion_usage_json(const Usage& usage);
Json response_usage_json(const Usage& usage);

}  // namespace hearth::gateway::openai
