#pragma once
// The parser behind Pattern::parse. Internal to chat.

#include "hearth/chat/pattern.h"

namespace hearth::chat {

Result<Pattern::Node> parse_pattern(std::string_view pattern);

}  // namespace hearth::chat
