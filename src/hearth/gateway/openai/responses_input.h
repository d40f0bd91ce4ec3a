#pragma once
// The input of the Responses API: a string, or items. Reasoning, text and calls that follow one
// another are one turn of the model.

#include <vector>

#include "hearth/chat/message.h"
#include "hearth/gateway/fields.h"
#include "hearth/gateway/notes.h"

namespace hearth::gateway::openai {

ApiResult<std::vector<chat::Message>> read_responses_input(const Json& body, Notes& notes);

}  // namespace hearth::gateway::openai
