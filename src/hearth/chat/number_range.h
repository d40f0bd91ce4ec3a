#pragma once
// Grammar rules for numbers between bounds, digit by digit. Internal to chat.

#include <cstdint>
#include <optional>
#include <string>

#include "hearth/chat/gbnf.h"

namespace hearth::chat {

// Integers of more digits than this are not written: 15 digits survive every JSON reader.
inline constexpr std::int64_t integer_magnitude_max = 999'999'999'999'999;

struct NumberBounds {
  std::optional<double> min;
  std::optional<double> max;
  bool min_exclusive = false;
  bool max_exclusive = false;
};

// A body for integers in [min, max]; empty when none can be written.
std::string integer_rule(GbnfBuilder& grammar, std::optional<std::int64_t> min,
                         std::optional<std::int64_t> max);

// A body for decimal numbers in the bounds; with bounds no exponents are written. Empty when none.
std::string number_rule(GbnfBuilder& grammar, const NumberBounds& bounds);

}  // namespace hearth::chat
