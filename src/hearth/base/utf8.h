#pragma once
// UTF-8 at the edges: tokens end in mid-character, files hold anything. Pure functions.

#include <cstddef>
#include <string>
#include <string_view>

namespace hearth {

bool is_valid_utf8(std::string_view text);
// Position of the first byte that is not part of a valid character; npos when all is valid.
std::size_t find_invalid_utf8(std::string_view text);
// Each invalid byte becomes U+FFFD.
std::string replace_invalid_utf8(std::string_view text);
// Length of the longest prefix that does not end inside a character that may still be completed.
std::size_t complete_utf8_prefix(std::string_view text);

}  // namespace hearth
