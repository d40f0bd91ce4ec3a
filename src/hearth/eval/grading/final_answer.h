#pragma once
// Numbers as people and models write them. Pure.
//
//   1,234.5   1 234.5   1'234   12,5   3/4   \frac{3}{4}   2√3   1.2e-3   1.2 × 10^-3   x = 5   $40   90 min

#include <optional>
#include <string>
#include <string_view>

#include "hearth/eval/grading/grader.h"

namespace hearth::eval {

struct Quantity {
  double value = 0;
  std::string unit;  // what stood behind (or, of money, before) the number; may be empty
};

std::optional<Quantity> read_quantity(std::string_view text);
// A number and nothing else.
std::optional<double> plain_number(std::string_view text);

// How many of `to` one `from` is; nothing for units of other kinds or unknown ones.
std::optional<double> unit_ratio(std::string_view from, std::string_view to);

Grade grade_final_answer(const FinalAnswerSpec& spec, std::string_view answer);

}  // namespace hearth::eval
