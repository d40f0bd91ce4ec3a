#include "hearth/eval/decision.h"

#include <fmt/format.h>

#include <algorithm>

#include "hearth/base/check.h"

namespace hearth::eval {
namespace {

bool is_good_enough(Verdict verdict) {
  return verdict == Verdict::non_inferior || verdict == Verdict::equivalent_by_divergence;
}

bool alarm_rang(const Comparison& comparison) {
  return std::ranges::any_of(comparison.guards, [](const ClassGuard& guard) {
    return guard.kind == GuardKind::alarm && !guard.holds;
  });
}

void apply_gates(std::vector<Comparison>& comparisons, const std::vector<DivergenceGate>& gates) {
  for (Comparison& comparison : comparisons) {
    const auto gate = std::ranges::find(gates, comparison.candidate, &DivergenceGate::candidate);
    if (gate == gates.end() || !gate->passed || alarm_rang(comparison)) continue;
    comparison.verdict = Verdict::equivalent_by_divergence;
    comparison.stops = true;
    comparison.sentence = fmt::format("{} is equivalent to {}, established by KL divergence.",
                                      comparison.candidate, comparison.reference);
  }
}

std::string failed_controls(const std::vector<Control>& controls) {
  std::string out;
  for (const Control& control : controls) {
    if (control.passed) continue;
    out += fmt::format("{}{} ({})", out.empty() ? "" : "; ", control.name, control.detail);
  }
  return out;
}

}  // namespace

Decision decide(std::vector<Comparison> comparisons, std::vector<Control> controls,
                const std::vector<DivergenceGate>& gates) {
  CHECK(!comparisons.empty());
  apply_gates(comparisons, gates);
  Decision out{.comparisons = std::move(comparisons), .controls = std::move(controls)};
  const std::string failed = failed_controls(out.controls);
  out.is_void = !failed.empty();
  if (out.is_void) {
    out.sentence = "Void: the grading cannot be trusted, so nothing is decided. Wrong: " + failed + ".";
    return out;
  }
  std::string pick = out.comparisons.front().reference;
  const Comparison* last = nullptr;
  for (const Comparison& comparison : out.comparisons) {
    last = &comparison;
    if (!is_good_enough(comparison.verdict)) break;
    pick = comparison.candidate;
    for (const std::string& one : comparison.held_back()) {
      if (std::ranges::find(out.held_back, one) == out.held_back.end()) out.held_back.push_back(one);
    }
  }
  if (last->verdict == Verdict::open) {
    out.sentence = last->sentence;
    return out;
  }
  out.pick = pick;
  out.sentence = fmt::format("Run {}. {}", pick, last->sentence);
  if (!out.held_back.empty()) {
    out.sentence += fmt::format(" Not for {}: not shown good enough there, {} stays.", fmt::join(out.held_back, ", "),
                                out.comparisons.front().reference);
  }
  return out;
}

Json decision_json(const Decision& decision) {
  Json comparisons = Json::array();
  for (const Comparison& comparison : decision.comparisons) comparisons.push(comparison_json(comparison));
  Json held_back = Json::array();
  for (const std::string& one : decision.held_back) held_back.push(one);
  return Json::object({{"comparisons", std::move(comparisons)},
                       {"controls", controls_json(decision.controls)},
                       {"void", decision.is_void},
                       {"pick", decision.pick ? Json(*decision.pick) : Json()},
                       {"held_back", std::move(held_back)},
                       {"sentence", decision.sentence}});
}

Result<std::vector<ClassClaim>> claim_classes(std::span<const PromptScores> prompts, const ClaimOptions& options) {
  const PairedSample sample =
      TRY(pair_scores(prompts, {.reference_factor = options.margin_is_relative ? 1 - options.margin : 1}));
  const double worst = options.margin_is_relative ? 0 : -options.margin;
  std::vector<ClassClaim> out;
  std::vector<double> p;
  for (const PromptClass& one : sample.classes) {
    const Estimate found = TRY(estimate_class(one));
    p.push_back(found.p_above(worst));
    out.push_back({.prompt_class = one.name, .p = p.back()});
  }
  const std::vector<double> adjusted = holm_adjusted(p);
  for (std::size_t i = 0; i < out.size(); ++i) {
    out[i].adjusted_p = adjusted[i];
    out[i].holds = adjusted[i] <= options.alpha;
  }
  return out;
}

}  // namespace hearth::eval
