#pragma once
// `system` and `messages` to a conversation's messages, in the order in which they came.

#include <vector>

#include "hearth/chat/message.h"
#include "hearth/gateway/anthropic/findings.h"

namespace hearth::gateway::anthropic {

ApiResult<std::vector<chat::Message>> read_messages(const Json& body, Findings& findings);

}  // namespace hearth::gateway::anthropic
