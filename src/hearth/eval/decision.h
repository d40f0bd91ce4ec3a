#pragma once
// Which quantisation to run: the comparisons of a study in their fixed order, the controls, and the
// pick. Pure; what the controls found is handed in.
//
// Arms go from the largest to the smallest, each compared with the one before it. The walk stops at
// the first that is not shown good enough: later comparisons cost no alpha because they count only
// after all earlier ones have passed.

#include "hearth/eval/comparison.h"
#include "hearth/eval/controls.h"

namespace hearth::eval {

// The gate of docs/evaluation.md, registered beforehand as a way to decide; of one pair of arms.
struct DivergenceGate {
  std::string candidate;
  bool passed = false;
};

struct Decision {
  std::vector<Comparison> comparisons;
  std::vector<Control> controls;
  bool is_void = false;
  std::optional<std::string> pick;           // nothing: void, or a comparison is still open
  std::vector<std::string> held_back;        // classes that stay with the largest arm
  std::string sentence;                      // the answer first, for people
};

// `comparisons[0]` is the second largest arm against the largest, and so on.
Decision decide(std::vector<Comparison> comparisons, std::vector<Control> controls,
                const std::vector<DivergenceGate>& gates = {});

Json decision_json(const Decision& decision);

// Claims class by class (another model against this one): which hold together, by Holm.
struct ClassClaim {
  std::string prompt_class;
  double p = 1;
  double adjusted_p = 1;
  bool holds = false;
};
struct ClaimOptions {
  double margin = 0.03;
  bool margin_is_relative = false;  // as of ComparisonPlan
  double alpha = 0.05;              // what p must reach at the look at which the study is
};
// Each class's own test of the margin.
Result<std::vector<ClassClaim>> claim_classes(std::span<const PromptScores> prompts, const ClaimOptions& options);

}  // namespace hearth::eval
