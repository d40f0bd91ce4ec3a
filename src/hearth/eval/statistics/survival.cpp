#include "hearth/eval/statistics/survival.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "hearth/eval/statistics/distributions.h"

namespace hearth::eval {
namespace {

constexpr double tail = 0.025;

struct Counts {
  std::vector<std::uint32_t> at_risk, failures;  // by depth; [0] unused
};

Result<> check_chains(std::span<const Chain> chains) {
  if (chains.empty()) return fail(Code::invalid_argument, "no chain was run: nothing to estimate");
  for (const Chain& chain : chains) {
    if (chain.depth == 0 || chain.depth > chain_depth_max) {
      return fail(Code::invalid_argument, fmt::format("a chain of depth {}: expected 1 to {} calls",
                                                      chain.depth, chain_depth_max));
    }
  }
  return {};
}

Counts count(std::span<const Chain> chains, std::uint32_t depth_max) {
  Counts out{std::vector<std::uint32_t>(depth_max + 1), std::vector<std::uint32_t>(depth_max + 1)};
  for (const Chain& chain : chains) {
    ++out.at_risk[chain.depth];
    if (chain.failed) ++out.failures[chain.depth];
  }
  for (std::uint32_t depth = depth_max; depth-- > 1;) out.at_risk[depth] += out.at_risk[depth + 1];
  return out;
}

std::uint32_t deepest(std::span<const Chain> chains) {
  return std::ranges::max_element(chains, {}, &Chain::depth)->depth;
}

// The log-log scale has no interval at 1 and 0; there the exact binomial one is used, for the
// chains that were still at risk.
void set_limits(SurvivalPoint& point, double greenwood) {
  if (point.survival >= 1) {
    point.low = std::pow(tail, 1.0 / point.at_risk);
    point.high = 1;
  } else if (point.survival <= 0) {
    point.low = 0;
    point.high = 1 - std::pow(tail, 1.0 / point.at_risk);
  } else {
    const double log_survival = std::log(point.survival);
    const double width = normal_quantile(1 - tail) * std::sqrt(greenwood) / std::abs(log_survival);
    point.low = std::pow(point.survival, std::exp(width));
    point.high = std::pow(point.survival, std::exp(-width));
  }
}

double hazard_between(const std::vector<SurvivalPoint>& points, std::uint32_t first, std::uint32_t last) {
  double calls = 0, failures = 0;
  for (const SurvivalPoint& point : points) {
    if (point.depth < first || point.depth > last) continue;
    calls += point.at_risk;
    failures += point.failures;
  }
  return calls > 0 ? failures / calls : 0;
}

// Of one stratum: observed minus expected failures of the candidate.
void add_stratum(LogRank& out, const Counts& a, const Counts& b, std::uint32_t depth_max) {
  for (std::uint32_t depth = 1; depth <= depth_max; ++depth) {
    const double n_a = a.at_risk[depth], n = n_a + b.at_risk[depth];
    const double d = a.failures[depth] + b.failures[depth];
    if (n == 0 || d == 0) continue;
    out.observed += a.failures[depth];
    out.expected += d * n_a / n;
    if (n > 1) out.variance += d * (n_a / n) * (1 - n_a / n) * (n - d) / (n - 1);
  }
}

}  // namespace

Result<Survival> kaplan_meier(std::span<const Chain> chains) {
  TRY(check_chains(chains));
  const std::uint32_t depth_max = deepest(chains);
  const Counts counts = count(chains, depth_max);
  Survival out;
  double survival = 1, greenwood = 0;
  for (std::uint32_t depth = 1; depth <= depth_max; ++depth) {
    SurvivalPoint point{.depth = depth, .at_risk = counts.at_risk[depth], .failures = counts.failures[depth]};
    const double n = point.at_risk, d = point.failures;
    survival *= 1 - d / n;
    if (d < n) greenwood += d / (n * (n - d));
    point.survival = survival;
    set_limits(point, greenwood);
    out.calls += point.at_risk;
    out.failures += point.failures;
    out.points.push_back(point);
  }
  return out;
}

std::optional<SurvivalPoint> Survival::at(std::uint32_t depth) const {
  if (depth == 0 || depth > points.size()) return {};
  return points[depth - 1];
}

double Survival::hazard() const {
  return calls > 0 ? static_cast<double>(failures) / static_cast<double>(calls) : 0;
}

std::optional<double> Survival::half_life() const {
  const double h = hazard();
  if (h <= 0) return {};
  return h >= 1 ? 0 : std::log(0.5) / std::log1p(-h);
}

std::optional<std::uint32_t> Survival::median() const {
  for (const SurvivalPoint& point : points) {
    if (point.survival <= 0.5) return point.depth;
  }
  return {};
}

double Survival::hazard_up_to(std::uint32_t depth) const { return hazard_between(points, 1, depth); }
double Survival::hazard_after(std::uint32_t depth) const {
  return hazard_between(points, depth + 1, chain_depth_max);
}

Result<LogRank> log_rank(std::span<const Chain> candidate, std::span<const Chain> reference) {
  TRY(check_chains(candidate));
  TRY(check_chains(reference));
  const std::uint32_t depth_max = std::max(deepest(candidate), deepest(reference));
  std::map<std::uint32_t, std::pair<std::vector<Chain>, std::vector<Chain>>> strata;
  for (const Chain& chain : candidate) strata[chain.stratum].first.push_back(chain);
  for (const Chain& chain : reference) strata[chain.stratum].second.push_back(chain);
  LogRank out;
  for (const auto& [stratum, arms] : strata) {
    add_stratum(out, count(arms.first, depth_max), count(arms.second, depth_max), depth_max);
  }
  if (out.variance > 0) {
    const double z = (out.observed - out.expected) / std::sqrt(out.variance);
    out.chi_square = z * z;
    out.p = chi_square_tail(out.chi_square, 1);
    out.p_worse = normal_cdf(-z);
  }
  return out;
}

double failures_needed(double hazard_ratio, double power, double alpha) {
  const double z = normal_quantile(1 - alpha) + normal_quantile(power);
  const double log_ratio = std::log(hazard_ratio);
  return 4 * z * z / (log_ratio * log_ratio);
}

}  // namespace hearth::eval
