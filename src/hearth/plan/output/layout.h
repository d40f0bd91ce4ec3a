#pragma once
// Small helpers for terminal output. Internal to output/.

#include <cstdint>
#include <string>
#include <string_view>

namespace hearth::plan {

inline constexpr std::size_t terminal_columns = 100;

// Columns a text takes on a terminal: its code points.
std::size_t columns(std::string_view text);
// Cut with an ellipsis, or padded with blanks, to exactly `width` columns.
std::string fit(std::string_view text, std::size_t width);
// Broken at blanks to the terminal's width; every line but the first starts with `indent` blanks.
std::string wrap(std::string_view text, std::size_t indent);
// Whole and half blocks, `share` of `width` columns.
std::string bar(double share, std::size_t width);

// Three digits at most, with the unit that suits: "4.2 s", "12 min", "3.1 h".
std::string seconds_text(double seconds);
std::string tokens_text(std::uint64_t tokens);  // "262k"
std::string rate_text(double tok_s);
std::string precise_rate_text(double tok_s);  // one decimal: for comparisons
std::string gb_text(double bytes);
// Without the blanks at the ends of lines.
std::string trimmed_lines(std::string_view text);

}  // namespace hearth::plan
