#pragma once
// The string formats of JSON Schema that are enforced, as patterns. Internal to chat.

#include <string_view>

namespace hearth::chat {

// Empty for a format that is not enforced: JSON Schema calls those annotations.
std::string_view format_pattern(std::string_view format);

}  // namespace hearth::chat
