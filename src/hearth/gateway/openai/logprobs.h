#pragma once
// The tokens behind a piece of text, in the two forms there are. `alternatives`: how many the client
// asked for; an engine may have told more.

#include "hearth/gateway/api.h"

namespace hearth::gateway::openai {

// [{"token","logprob","bytes","top_logprobs"}, ...] of chat and Responses.
Json token_list_json(const std::vector<TokenChoice>& choices, int alternatives);

// {"tokens","token_logprobs","top_logprobs","text_offset"} of plain completions. `offset` counts the
// characters of the answer so far.
Json token_columns_json(const std::vector<TokenChoice>& choices, int alternatives,
                        std::size_t& offset);

}  // namespace hearth::gateway::openai
