#pragma once
// The body of POST /v1/messages and of /v1/messages/count_tokens to a ChatRequest.

#include "hearth/gateway/api.h"

namespace hearth::gateway::anthropic {

ApiResult<ChatRequest> read_request(const Json& body, bool counting);

// What the writer needs again, kept in ChatRequest::extra.
bool omits_thinking_text(const ChatRequest& request);
// max_tokens 0: the prompt is made ready, nothing is generated.
bool is_prewarm(const ChatRequest& request);

}  // namespace hearth::gateway::anthropic
