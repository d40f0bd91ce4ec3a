#pragma once
#include "hearth/chat/output_parser.h"

namespace hearth::chat {
// Kimi K2 and its successors.
std::unique_ptr<OutputParser> make_kimi_parser(ParserOptions options);
}  // namespace hearth::chat
