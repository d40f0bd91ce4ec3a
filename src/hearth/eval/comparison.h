#pragma once
// One candidate against one reference, at one look of the study: the tests, the guards, and what
// they mean. Pure: scores in, verdict out.

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "hearth/base/json.h"
#include "hearth/eval/statistics/class_guard.h"
#include "hearth/eval/statistics/non_inferiority.h"
#include "hearth/eval/statistics/power.h"

namespace hearth::eval {

enum class Verdict : std::uint8_t {
  open,          // before the last look: generate more
  non_inferior,  // shown to be less than the margin worse
  inferior,      // shown to be more than the margin worse
  inconclusive,  // neither; the larger quantisation stays
  equivalent_by_divergence,  // by the KL gate, which was registered as decisive
};
std::string_view verdict_name(Verdict verdict);

// Written down before the first generation.
struct ComparisonPlan {
  double margin = 0.03;
  bool margin_is_relative = false;  // a share of the reference's mean; the other is printed too
  SequentialDesign design;
  std::vector<double> generations;  // K at each look, as many as the design has
  NoiseModel noise;                 // from which the design's fractions come
  std::map<std::string, double> class_weights = {};
  std::map<std::string, GuardKind> guards = {};  // a class not named: proof
  std::uint64_t seed = 1;
  std::uint32_t resamples = bootstrap_resamples;
};

// The design of looks at so many generations under a noise model.
Result<ComparisonPlan> plan_comparison(const NoiseModel& noise, std::vector<double> generations,
                                       const SequentialOptions& options = {});

struct Comparison {
  std::string candidate, reference;
  Verdict verdict = Verdict::open;
  bool stops = false;           // no further generation is needed
  double generations = 0;       // of each prompt and arm
  MarginTest absolute, relative;
  bool relative_decides = false;
  double margin = 0;            // as planned
  double power = 0;             // to show a tie, with the noise that was found
  std::vector<ClassGuard> guards;
  // If the estimate stays: generations at which it would pass; nothing: no number would do.
  std::optional<double> generations_needed;
  std::string sentence;         // the verdict for people

  const MarginTest& decisive() const { return relative_decides ? relative : absolute; }
  std::vector<std::string> held_back() const;  // classes whose guard does not hold
};

struct Arms {
  std::string candidate, reference;
};

// `look` counts from 0. invalid_argument: scores from which no interval may be computed, or
// more generations than the look was planned at.
Result<Comparison> compare(const Arms& arms, const ComparisonPlan& plan, std::size_t look,
                           std::span<const PromptScores> prompts);

Json comparison_json(const Comparison& comparison);

}  // namespace hearth::eval
