#include "hearth/eval/comparison.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "hearth/base/check.h"
#include "hearth/eval/statistics/distributions.h"

namespace hearth::eval {
namespace {

constexpr double generations_needed_max = 1'000;

std::string points(double share) { return fmt::format("{:+.1f}", 100 * share); }

Verdict verdict_of(const MarginTest& test, bool stops) {
  if (test.passes()) return Verdict::non_inferior;
  if (!stops) return Verdict::open;
  return test.shows_worse() ? Verdict::inferior : Verdict::inconclusive;
}

std::string sentence(const Comparison& c) {
  const MarginTest& t = c.decisive();
  const std::string margin = c.relative_decides
                                 ? fmt::format("{:.3g} % of {}'s score", 100 * c.margin, c.reference)
                                 : fmt::format("{:.3g} points", 100 * c.margin);
  const std::string found = fmt::format("found {} points, 95 % interval {} to {}", points(c.absolute.estimate.difference),
                                        points(c.absolute.ci95.low), points(c.absolute.ci95.high));
  switch (c.verdict) {
    case Verdict::non_inferior:
      return fmt::format("{} is less than {} worse than {} ({}).", c.candidate, margin, c.reference, found);
    case Verdict::inferior:
      return fmt::format("{} is more than {} worse than {} ({}).", c.candidate, margin, c.reference, found);
    case Verdict::inconclusive: {
      std::string why = t.t_passes != t.bootstrap_passes ? " The two methods disagree, so the more cautious one counts." : "";
      return fmt::format("Not enough to say whether {} is less than {} worse than {} ({}); {} stays.{}",
                         c.candidate, margin, c.reference, found, c.reference, why);
    }
    case Verdict::open:
      return fmt::format("{} against {}: not decided at {:.0f} generations; more are needed.", c.candidate, c.reference,
                         c.generations);
    case Verdict::equivalent_by_divergence:
      return fmt::format("{} is equivalent to {}, established by KL divergence.", c.candidate, c.reference);
  }
  return "";
}

// The noise found at this look, as a multiple of the planned one, scales the plan.
std::optional<double> generations_needed(const MarginTest& test, const ComparisonPlan& plan,
                                         double generations) {
  const double distance = test.estimate.difference + test.margin;
  if (distance <= 0) return {};
  const double scale = test.estimate.standard_error * test.estimate.standard_error /
                       plan.noise.difference_variance(generations);
  const double t = t_quantile(1 - plan.design.options().alpha, test.estimate.degrees_of_freedom);
  for (double k = 1; k <= generations_needed_max; ++k) {
    if (t * std::sqrt(scale * plan.noise.difference_variance(k)) < distance) return k;
  }
  return {};
}

// The bounds of a look hold for the generations it was planned at. Fewer (a fault with a recorded
// reason) only make it less sure.
Result<> check_generations(std::span<const PromptScores> prompts, double planned) {
  for (const PromptScores& prompt : prompts) {
    const std::size_t found = std::max(prompt.candidate.size(), prompt.reference.size());
    if (static_cast<double>(found) <= planned) continue;
    return fail(Code::invalid_argument,
                fmt::format("prompt {} has {} scored generations, but this look was planned at {:.0f}; "
                            "wait for the look where they belong",
                            prompt.prompt, found, planned));
  }
  return {};
}

Result<std::vector<ClassGuard>> guards_of(const PairedSample& sample, const ComparisonPlan& plan) {
  std::vector<GuardKind> kinds;
  for (const PromptClass& one : sample.classes) {
    const auto found = plan.guards.find(one.name);
    kinds.push_back(found == plan.guards.end() ? GuardKind::proof : found->second);
  }
  return guard_classes(sample, kinds);
}

Json test_json(const MarginTest& t) {
  return Json::object({{"difference", t.estimate.difference},
                       {"ci95", Json::array({t.ci95.low, t.ci95.high})},
                       {"lower95", t.lower95},
                       {"upper95", t.upper95},
                       {"p", t.p},
                       {"bootstrap_p", t.bootstrap_p},
                       {"nominal_p", t.nominal_p},
                       {"passes", t.passes()},
                       {"equivalent", t.is_equivalent}});
}

}  // namespace

std::string_view verdict_name(Verdict verdict) {
  switch (verdict) {
    case Verdict::open: return "open";
    case Verdict::non_inferior: return "non-inferior";
    case Verdict::inferior: return "inferior";
    case Verdict::inconclusive: return "inconclusive";
    case Verdict::equivalent_by_divergence: return "equivalent-by-divergence";
  }
  return "";
}

Result<ComparisonPlan> plan_comparison(const NoiseModel& noise, std::vector<double> generations,
                                       const SequentialOptions& options) {
  if (generations.empty() || !(generations.front() >= 1)) {
    return fail(Code::invalid_argument, "looks: expected rising numbers of generations, at least 1");
  }
  std::vector<double> fractions;
  for (const double k : generations) {
    fractions.push_back(k >= 1 ? information_fraction(noise, k, generations.back()) : 0);
  }
  SequentialDesign design = TRY(SequentialDesign::make(std::move(fractions), options));
  return ComparisonPlan{.design = std::move(design), .generations = std::move(generations), .noise = noise};
}

std::vector<std::string> Comparison::held_back() const {
  std::vector<std::string> out;
  for (const ClassGuard& guard : guards) {
    if (!guard.holds) out.push_back(guard.prompt_class);
  }
  return out;
}

Result<Comparison> compare(const Arms& arms, const ComparisonPlan& plan, std::size_t look,
                           std::span<const PromptScores> prompts) {
  CHECK(look < plan.design.looks().size() && plan.generations.size() == plan.design.looks().size());
  if (std::string refusal = interval_refusal(prompts); !refusal.empty()) {
    return fail(Code::invalid_argument, std::move(refusal));
  }
  TRY(check_generations(prompts, plan.generations[look]));
  const PairedSample plain = TRY(pair_scores(prompts, {.class_weights = plan.class_weights}));
  const PairedSample linear = TRY(pair_scores(
      prompts, {.reference_factor = 1 - plan.margin, .class_weights = plan.class_weights}));
  Comparison out{.candidate = arms.candidate, .reference = arms.reference};
  out.generations = plan.generations[look];
  out.margin = plan.margin;
  out.relative_decides = plan.margin_is_relative;
  MarginTestOptions options{.margin = plan.margin, .look = look, .seed = plan.seed, .resamples = plan.resamples};
  out.absolute = TRY(test_margin(plain, plan.design, options));
  options.margin = 0;
  out.relative = TRY(test_margin(linear, plan.design, options));
  out.guards = TRY(guards_of(plain, plan));

  const MarginTest& decisive = out.decisive();
  const bool gives_up = plan.design.options().futility && decisive.is_futile();
  out.stops = plan.design.is_last(look) || decisive.passes() || gives_up;
  out.verdict = verdict_of(decisive, out.stops);
  const double root = std::sqrt(plan.design.looks()[look].fraction);
  if (out.absolute.estimate.standard_error > 0) {
    out.power = plan.design.pass_probability(plan.margin / (out.absolute.estimate.standard_error * root));
  } else {
    out.power = 1;
  }
  if (!decisive.passes()) out.generations_needed = generations_needed(decisive, plan, out.generations);
  out.sentence = sentence(out);
  return out;
}

Json comparison_json(const Comparison& c) {
  Json guards = Json::array();
  for (const ClassGuard& g : c.guards) {
    guards.push(Json::object({{"class", g.prompt_class},
                              {"kind", guard_kind_name(g.kind)},
                              {"difference", g.estimate.difference},
                              {"ci95", Json::array({g.ci95.low, g.ci95.high})},
                              {"pooled", g.pooled},
                              {"limit", g.limit},
                              {"holds", g.holds}}));
  }
  return Json::object({{"a", c.candidate},
                       {"b", c.reference},
                       {"difference", c.absolute.estimate.difference},
                       {"ci95", Json::array({c.absolute.ci95.low, c.absolute.ci95.high})},
                       {"margin", c.margin},
                       {"margin_kind", c.relative_decides ? "relative" : "absolute"},
                       {"verdict", verdict_name(c.verdict)},
                       {"power", c.power},
                       {"generations", c.generations},
                       {"generations_needed", c.generations_needed ? Json(*c.generations_needed) : Json()},
                       {"absolute", test_json(c.absolute)},
                       {"relative", test_json(c.relative)},
                       {"guards", std::move(guards)},
                       {"sentence", c.sentence}});
}

}  // namespace hearth::eval
