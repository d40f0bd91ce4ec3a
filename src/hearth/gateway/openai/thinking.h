#pragma once
// Whether the model is to think. How much (the effort) is read and not followed: a prompt must not
// depend on it.

#include <optional>

#include "hearth/gateway/fields.h"
#include "hearth/gateway/notes.h"

namespace hearth::gateway::openai {

// "none" turns thinking off, the other known words turn it on.
std::optional<bool> thinking_of_effort(const std::string& effort, Notes& notes);

// chat_template_kwargs (enable_thinking, thinking) before thinking {"type"} before
// reasoning_effort.
ApiResult<std::optional<bool>> read_chat_thinking(const Json& body, Notes& notes);

}  // namespace hearth::gateway::openai
