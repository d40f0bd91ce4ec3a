#pragma once
// The body of POST /v1/chat/completions to a ChatRequest.

#include "hearth/gateway/api.h"

namespace hearth::gateway::openai {

ApiResult<ChatRequest> read_chat_request(const Json& body);

}  // namespace hearth::gateway::openai
