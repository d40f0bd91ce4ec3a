#pragma once
// Classes one by one: too few prompts each to resolve the margin, but a class that falls far must
// not hide in the mean. A guard can hold a class back; it never makes a verdict better. Pure.

#include <string_view>
#include <vector>

#include "hearth/eval/statistics/estimate.h"

namespace hearth::eval {

enum class GuardKind : std::uint8_t {
  proof,  // the class must be shown no worse than the guard margin: rubrics and partial credit
  alarm,  // the class must not be shown worse: pass/fail items; passing proves little
};
std::string_view guard_kind_name(GuardKind kind);

inline constexpr double guard_margin = 0.10;
inline constexpr double proof_guard_level = 0.90;
// That any of the alarm guards rings without cause.
inline constexpr double false_alarm_rate = 0.10;

struct ClassGuard {
  std::string prompt_class;
  GuardKind kind = GuardKind::proof;
  Estimate estimate;
  Interval ci95;
  double limit = 0;   // the one-sided limit that the guard looks at
  double pooled = 0;  // shrunk towards the mean of all classes; for display only
  bool holds = false;
};

// `kinds` as many as classes. A class with fewer than two clusters: invalid_argument.
Result<std::vector<ClassGuard>> guard_classes(const PairedSample& sample,
                                              const std::vector<GuardKind>& kinds);

}  // namespace hearth::eval
