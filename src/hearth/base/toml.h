#pragma once
// TOML text to our own Json value, so that one file alone includes toml++.
//
// Every table carries a member `lines_member` with the lines of the table and of its keys, read with
// toml_line; keys keep no order of the file (toml++ sorts them). Dates become strings. Pure.

#include <string_view>

#include "hearth/base/json.h"

namespace hearth {

inline constexpr std::string_view lines_member = "#lines";
inline constexpr std::size_t toml_bytes_max = 16u << 20;

// invalid_argument with "name:line:column: what" for text that is not TOML, or not UTF-8. Outside of quotes
// and comments only ASCII may stand, as in TOML 1.0.
Result<Json> parse_toml(std::string_view text, std::string_view name);

// Where `table`, or a key of it, is in its file; 0 when that is not known.
std::int64_t toml_line(const Json& table, std::string_view key = {});

}  // namespace hearth
