#pragma once
// Chains of dependent calls: how many an arm makes before its first unrecovered error.
// Kaplan and Meier's curve with Greenwood's variance on the log-log scale, hazard and half-life,
// and the log-rank test between arms (Mantel). Depths are whole calls from 1. Pure.

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "hearth/base/result.h"

namespace hearth::eval {

struct Chain {
  std::uint32_t depth = 0;  // the call that failed, or the last one made
  bool failed = false;      // false: censored, the chain was still alive after `depth`
  std::uint32_t stratum = 0;  // task; arms are compared within it
};

struct SurvivalPoint {
  std::uint32_t depth = 0;
  std::uint32_t at_risk = 0;  // chains that made this call
  std::uint32_t failures = 0;
  double survival = 1;
  double low = 1, high = 1;   // two-sided 95 %
};

struct Survival {
  std::vector<SurvivalPoint> points;  // for each depth from 1 to the last with chains at risk
  std::uint64_t calls = 0;            // at risk, over all depths
  std::uint64_t failures = 0;

  // The curve at a depth; nothing beyond the last depth that any chain reached.
  std::optional<SurvivalPoint> at(std::uint32_t depth) const;
  double hazard() const;        // failures a call
  // ln(1/2) / ln(1 - hazard), in calls: the hazard taken as constant. Nothing without a failure.
  std::optional<double> half_life() const;
  // The first depth at which the curve is at or below a half.
  std::optional<std::uint32_t> median() const;
  // Hazard of calls 1 to `depth`, and of those after: unlike ones say that half_life is a fiction.
  double hazard_up_to(std::uint32_t depth) const;
  double hazard_after(std::uint32_t depth) const;
};

// invalid_argument: no chains, or one of depth 0 or beyond chain_depth_max.
inline constexpr std::uint32_t chain_depth_max = 100'000;
Result<Survival> kaplan_meier(std::span<const Chain> chains);

struct LogRank {
  double observed = 0, expected = 0, variance = 0;  // failures of the candidate
  double chi_square = 0;                            // one degree of freedom
  double p = 1;                                     // two-sided
  double p_worse = 1;                               // one-sided: the candidate fails earlier
};

// Stratified by task. invalid_argument as above.
Result<LogRank> log_rank(std::span<const Chain> candidate, std::span<const Chain> reference);

// Failures of both arms together that a one-sided log-rank test needs for a hazard ratio.
double failures_needed(double hazard_ratio, double power = 0.8, double alpha = 0.05);

}  // namespace hearth::eval
