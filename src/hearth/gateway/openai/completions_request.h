#pragma once
// Plain completions: text or token ids continued as they stand, without a chat format.

#include "hearth/gateway/fields.h"

namespace hearth::gateway::openai {

ApiResult<ChatRequest> read_completions_request(const Json& body);

}  // namespace hearth::gateway::openai
