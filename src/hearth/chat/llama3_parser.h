#pragma once
#include "hearth/chat/output_parser.h"

namespace hearth::chat {
// Llama 3: an answer that begins with a JSON object with a name and parameters is a call.
std::unique_ptr<OutputParser> make_llama3_parser(ParserOptions options);
}  // namespace hearth::chat
