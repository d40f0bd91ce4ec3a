#pragma once
// `tools` and `tool_choice`.

#include <vector>

#include "hearth/chat/message.h"
#include "hearth/gateway/anthropic/findings.h"

namespace hearth::gateway::anthropic {

// The tools that the model is told of, in the client's order. Those that a server would run, and
// those that are put off (defer_loading) until a tool_reference names them, are left out with a note.
ApiResult<std::vector<chat::Tool>> read_tools(const Json& body, Findings& findings);

ApiResult<chat::ToolChoice> read_tool_choice(const Json& body,
                                             const std::vector<chat::Tool>& tools);

}  // namespace hearth::gateway::anthropic
