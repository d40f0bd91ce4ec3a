#include "hearth/eval/statistics/class_guard.h"

#include <algorithm>

#include "hearth/base/check.h"

namespace hearth::eval {
namespace {

// Random effects after DerSimonian and Laird: the variance between classes, never below 0.
double between_classes(const std::vector<ClassGuard>& guards, double& pooled_mean) {
  double weights = 0, weight_squares = 0, sum = 0;
  for (const ClassGuard& g : guards) {
    const double w = 1 / (g.estimate.standard_error * g.estimate.standard_error);
    weights += w;
    weight_squares += w * w;
    sum += w * g.estimate.difference;
  }
  const double mean = sum / weights;
  double q = 0;
  for (const ClassGuard& g : guards) {
    const double off = (g.estimate.difference - mean) / g.estimate.standard_error;
    q += off * off;
  }
  const double freedom = static_cast<double>(guards.size()) - 1;
  const double scale = weights - weight_squares / weights;
  const double tau_squared = scale > 0 ? std::max(0.0, (q - freedom) / scale) : 0;
  double random_weights = 0, random_sum = 0;
  for (const ClassGuard& g : guards) {
    const double w = 1 / (tau_squared + g.estimate.standard_error * g.estimate.standard_error);
    random_weights += w;
    random_sum += w * g.estimate.difference;
  }
  pooled_mean = random_sum / random_weights;
  return tau_squared;
}

void pool(std::vector<ClassGuard>& guards) {
  for (ClassGuard& g : guards) g.pooled = g.estimate.difference;
  const bool all_vary =
      std::ranges::all_of(guards, [](const ClassGuard& g) { return g.estimate.standard_error > 0; });
  if (guards.size() < 2 || !all_vary) return;
  double mean = 0;
  const double tau_squared = between_classes(guards, mean);
  for (ClassGuard& g : guards) {
    const double noise = g.estimate.standard_error * g.estimate.standard_error;
    g.pooled = mean + (g.estimate.difference - mean) * tau_squared / (tau_squared + noise);
  }
}

}  // namespace

std::string_view guard_kind_name(GuardKind kind) {
  return kind == GuardKind::proof ? "proof" : "alarm";
}

Result<std::vector<ClassGuard>> guard_classes(const PairedSample& sample,
                                              const std::vector<GuardKind>& kinds) {
  CHECK(kinds.size() == sample.classes.size());
  const double alarm_level = 1 - false_alarm_rate / static_cast<double>(kinds.size());
  std::vector<ClassGuard> out;
  for (std::size_t i = 0; i < kinds.size(); ++i) {
    ClassGuard guard{.prompt_class = sample.classes[i].name, .kind = kinds[i], .estimate = {}, .ci95 = {}};
    guard.estimate = TRY(estimate_class(sample.classes[i]));
    guard.ci95 = guard.estimate.interval(0.95);
    if (guard.kind == GuardKind::proof) {
      guard.limit = guard.estimate.lower_limit(proof_guard_level);
      guard.holds = guard.limit > -guard_margin;
    } else {
      guard.limit = guard.estimate.upper_limit(alarm_level);
      guard.holds = guard.limit >= 0;
    }
    out.push_back(std::move(guard));
  }
  pool(out);
  return out;
}

}  // namespace hearth::eval
