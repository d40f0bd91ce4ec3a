#pragma once
// TOML text to our own Json value, so that one file alone includes toml++.
//
// Every table carries a member `line_member` with the line it begins on; keys keep no order of the
// file (toml++ sorts them). Dates become strings. Pure.

#include <string_view>

#include "hearth/base/json.h"

namespace hearth {

inline constexpr std::string_view line_member = "#line";
inline constexpr std::size_t toml_bytes_max = 16u << 20;

// invalid_argument with "name:line:column: what" for text that is not TOML.
Result<Json> parse_toml(std::string_view text, std::string_view name);

}  // namespace hearth
