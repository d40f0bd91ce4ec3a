#pragma once
// The parser behind Pattern::parse. Internal to chat.

#include "hearth/chat/pattern.h"

namespace hearth::chat {

Result<Pattern::Node> parse_pattern(std::string_view pattern);

CharSet normalise(CharSet set);
CharSet complement(const CharSet& set);
bool contains(const CharSet& set, char32_t c);

}  // namespace hearth::chat
