#pragma once
// Looks at a suite as a careful reader would: is every item complete, can it be graded, does its grader accept
// the reference and refuse plausible wrong answers, are rubrics worded so that two people would agree, may
// its text go where its egress flag lets it. Runs code of sample answers in the sandbox; else pure.

#include <functional>

#include "hearth/base/stop.h"
#include "hearth/eval/suite/load.h"

namespace hearth::eval {

class Sandbox;

inline constexpr std::size_t rubric_criteria_min = 6, rubric_criteria_max = 15;
inline constexpr std::size_t wrong_answers_min = 2;
inline constexpr std::uint64_t prompt_tokens_max = 256'000;

struct LintReport {
  std::size_t items = 0;
  std::size_t by_class[task_class_count] = {};
  std::size_t sample_answers = 0;      // that were graded
  std::vector<std::string> findings;  // "file:line: what, and how to mend it"
};

// `sandbox` null: items that need it are a finding with `no_sandbox` as the reason. `progress` gets 0 to 1.
Result<LintReport> lint_suite(const LoadedSuite& loaded, const Sandbox* sandbox, std::string_view no_sandbox,
                              const StopToken& stop, const std::function<void(double)>& progress);

// What is wrong with the wording and the weights of a rubric; empty when nothing is.
std::vector<std::string> lint_rubric(const RubricSpec& rubric);

Json lint_json(const LintReport& report, const Suite& suite);

}  // namespace hearth::eval
