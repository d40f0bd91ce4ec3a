#pragma once
// Where a study stands: each comparison at the look where it ended, or what it still lacks. Computed
// anew from the scores each time, so the same records always say the same. Pure.

#include <optional>
#include <string>
#include <vector>

#include "hearth/eval/comparison.h"
#include "hearth/eval/study/scores.h"

namespace hearth::eval {

struct Standing {
  // In the order of the arms, up to the first that cannot be computed yet or was not shown good enough.
  std::vector<Comparison> comparisons;
  std::size_t comparisons_planned = 0;
  // The next look and the arms that must reach it; nothing: all is decided.
  std::optional<std::uint32_t> next_generations;
  std::vector<std::string> arms_wanted;

  bool decided() const { return !next_generations; }
};

Result<Standing> study_standing(const ComparisonPlan& plan, const ArmsFile& file, const Scores& scores);

}  // namespace hearth::eval
