#pragma once
// An answer to a score of 0 to 1, with its parts and reasons. Everything but code is pure; code runs in
// a Sandbox. An answer is what the arm wrote, thinking stripped by the caller; empty text, prose where
// JSON was asked for and endless loops are scored 0 with a reason, never an error.
//
// An error means that nobody can say what the answer is worth (the sandbox is not there, the user
// pressed Ctrl-C): it is not a score, and the answer is to be graded again.

#include <span>
#include <string>
#include <vector>

#include "hearth/base/result.h"
#include "hearth/base/stop.h"
#include "hearth/eval/grading/grader_spec.h"

namespace hearth::eval {

class Sandbox;  // eval/sandbox/sandbox.h

// Part of every stored grade: a grade of another version does not count.
inline constexpr std::uint32_t grader_version = 1;

struct GradePart {
  std::string name;
  double weight = 1;
  double score = 0;  // 0 to 1
  std::string reason;
};

struct Grade {
  double score = 0;  // 0 to 1
  std::vector<GradePart> parts;
  std::string reason;  // for the whole: "no line that begins with 'Answer:'"; may be empty
};

// What a judge says of one criterion.
struct CriterionVerdict {
  std::string id;
  bool met = false;
  std::string quote;  // from the answer; may be empty
};

// Verifiable items only: unsupported for a rubric. `sandbox` may be null where no item is code.
Result<Grade> grade_answer(const GraderSpec& spec, std::string_view answer, const Sandbox* sandbox,
                           const StopToken& stop);

// Sum of the weights met over the sum of the positive weights, held within 0 and 1. invalid_argument
// unless there is exactly one verdict for each criterion.
Result<Grade> grade_rubric(const RubricSpec& rubric, std::span<const CriterionVerdict> verdicts);

Json grade_json(const Grade& grade);

}  // namespace hearth::eval
