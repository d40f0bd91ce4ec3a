#pragma once
#include "hearth/chat/output_parser.h"

namespace hearth::chat {
// Qwen3 and ChatML: <think> blocks, JSON calls in <tool_call> tags.
std::unique_ptr<OutputParser> make_hermes_parser(ParserOptions options);
}  // namespace hearth::chat
