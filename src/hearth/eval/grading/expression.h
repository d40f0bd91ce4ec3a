#pragma once
// A small language of values: numbers, texts, lists, paths into JSON, arithmetic, comparisons, and / or /
// not. Rules, effects and goals of simulated worlds are written in it, and final answers are read with it.
//
//   stock[part] >= 2 and robots[robot].room == 'hall'      'r1' in crew       count(done) == 3
//   3/4 * sqrt(2)       list + ['x']       list - ['x']    min(a, b)   max   abs   sum   pi
//   choose(day == 4, balance + 900, balance)    last(stack)   (nothing, of an empty list)
//
// Pure. Errors are invalid_argument: what, and at which character; a path that leads nowhere is not_found.

#include <string_view>

#include "hearth/base/json.h"

namespace hearth::eval {

inline constexpr std::size_t expression_bytes_max = 4096;
inline constexpr int expression_depth_max = 48;

// Names are looked for in `names` first, then in `state`; both are objects.
struct ExpressionScope {
  const Json* names = nullptr;
  const Json* state = nullptr;
};

Result<Json> evaluate(std::string_view expression, const ExpressionScope& scope);
// Of conditions: the value must be true or false.
Result<bool> holds(std::string_view condition, const ExpressionScope& scope);
// Puts `value` where `path` leads in `state`; the last step of the path may be new.
Result<> assign(std::string_view path, Json value, const ExpressionScope& scope, Json& state);
// Whether it can be read at all.
Result<> check_expression(std::string_view expression);

}  // namespace hearth::eval
