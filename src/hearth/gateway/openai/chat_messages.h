#pragma once
// `messages` of chat completions to a conversation's messages, in the order in which they came.

#include <vector>

#include "hearth/chat/message.h"
#include "hearth/gateway/fields.h"
#include "hearth/gateway/notes.h"

namespace hearth::gateway::openai {

ApiResult<std::vector<chat::Message>> read_chat_messages(const Json& body, Notes& notes);

}  // namespace hearth::gateway::openai
