#include "hearth/eval/study/standing.h"

#include <algorithm>

namespace hearth::eval {
namespace {

struct Course {
  std::optional<Comparison> latest;  // the last look that is complete
  std::optional<std::uint32_t> next;  // generations of the next, if it is wanted
};

Result<Course> follow(const Arms& arms, const ComparisonPlan& plan, const Scores& scores) {
  Course out;
  for (std::size_t look = 0; look < plan.generations.size(); ++look) {
    const auto generations = static_cast<std::uint32_t>(plan.generations[look]);
    if (!scores.complete(arms.candidate, generations) || !scores.complete(arms.reference, generations)) {
      out.next = generations;
      return out;
    }
    const std::vector<PromptScores> prompts = scores.paired(arms.candidate, arms.reference, generations);
    out.latest = TRY(compare(arms, plan, look, prompts));
    if (out.latest->stops) return out;
  }
  return out;
}

void want(Standing& standing, const std::string& arm) {
  if (std::ranges::find(standing.arms_wanted, arm) == standing.arms_wanted.end()) standing.arms_wanted.push_back(arm);
}

}  // namespace

Result<Standing> study_standing(const ComparisonPlan& plan, const ArmsFile& file, const Scores& scores) {
  Standing out{.comparisons = {}, .comparisons_planned = file.arms.size() - 1};
  struct Open {
    Arms arms;
    std::uint32_t next;
  };
  std::vector<Open> open;
  bool walk_goes_on = true;  // every comparison so far has passed, or has not been computed
  for (std::size_t i = 1; i < file.arms.size() && walk_goes_on; ++i) {
    const Arms arms{file.arms[i].name, file.arms[i - 1].name};
    Course course = TRY(follow(arms, plan, scores));
    if (course.next) open.push_back({arms, *course.next});
    if (!course.latest) continue;
    walk_goes_on = course.next || course.latest->verdict == Verdict::non_inferior;
    // Later comparisons count only after this one: shown once all before them are there.
    if (out.comparisons.size() == i - 1) out.comparisons.push_back(*std::move(course.latest));
  }
  for (const Open& one : open) out.next_generations = std::min(out.next_generations.value_or(one.next), one.next);
  for (const Open& one : open) {
    if (one.next != *out.next_generations) continue;
    want(out, one.arms.reference);
    want(out, one.arms.candidate);
  }
  return out;
}

}  // namespace hearth::eval
