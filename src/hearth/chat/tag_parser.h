#pragma once
#include "hearth/chat/output_parser.h"

namespace hearth::chat {
// Qwen3-Coder, Qwen3.5: calls as <function=..><parameter=..> tags inside <tool_call>. The arguments
// come out as JSON, typed by the tools' schemas.
std::unique_ptr<OutputParser> make_tag_parser(ParserOptions options);

// What the text between parameter tags means as JSON.
Json tag_value(const Json& parameters, std::string_view name, std::string_view text);
}  // namespace hearth::chat
