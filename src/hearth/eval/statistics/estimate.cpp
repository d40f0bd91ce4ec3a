#include "hearth/eval/statistics/estimate.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "hearth/base/check.h"
#include "hearth/eval/statistics/distributions.h"

namespace hearth::eval {
namespace {

// Rounding makes a spread of a few ulps out of equal differences.
constexpr double rounding_share = 1e-13;

}  // namespace

double Estimate::lower_limit(double level) const {
  return difference - t_quantile(level, degrees_of_freedom) * standard_error;
}
double Estimate::upper_limit(double level) const {
  return difference + t_quantile(level, degrees_of_freedom) * standard_error;
}
Interval Estimate::interval(double level) const {
  const double one_sided = 0.5 + level / 2;
  return {lower_limit(one_sided), upper_limit(one_sided)};
}

double Estimate::t_statistic(double tested) const {
  const double distance = difference - tested;
  if (standard_error > 0) return distance / standard_error;
  if (distance == 0) return 0;
  return std::copysign(std::numeric_limits<double>::infinity(), distance);
}

double Estimate::p_above(double tested) const {
  return t_cdf(-t_statistic(tested), degrees_of_freedom);
}

void ClusterSums::add(const Cluster& cluster) {
  clusters += 1;
  sum += cluster.sum;
  prompts += cluster.prompts;
  sum_squares += cluster.sum * cluster.sum;
  cross += cluster.sum * cluster.prompts;
  prompts_squares += cluster.prompts * cluster.prompts;
}

double ClusterSums::variance_of_mean() const {
  double spread = sum_squares - 2 * mean() * cross + mean() * mean() * prompts_squares;
  if (spread < rounding_share * sum_squares) spread = 0;
  return clusters / (clusters - 1) * spread / (prompts * prompts);
}

Result<Estimate> estimate_class(const PromptClass& prompt_class) {
  PairedSample one{.classes = {prompt_class}};
  one.classes[0].weight = 1;
  return estimate(one);
}

Result<Estimate> estimate(const PairedSample& sample) {
  CHECK(!sample.classes.empty());
  Estimate out;
  double variance = 0, satterthwaite = 0, freedom = 0;
  for (const PromptClass& one : sample.classes) {
    const auto clusters = static_cast<double>(one.clusters.size());
    if (clusters < 2) {
      return fail(Code::invalid_argument,
                  fmt::format("class {} has {} independent prompt(s); an interval needs at least 2 "
                              "in each class: add prompts, or merge it with another class",
                              one.name, one.clusters.size()));
    }
    ClusterSums sums;
    for (const Cluster& cluster : one.clusters) sums.add(cluster);
    const double part = one.weight * one.weight * sums.variance_of_mean();
    out.difference += one.weight * sums.mean();
    out.clusters += one.clusters.size();
    variance += part;
    satterthwaite += part * part / (clusters - 1);
    freedom += clusters - 1;
  }
  out.standard_error = std::sqrt(variance);
  out.degrees_of_freedom = satterthwaite > 0 ? std::min(variance * variance / satterthwaite, freedom) : freedom;
  return out;
}

}  // namespace hearth::eval
