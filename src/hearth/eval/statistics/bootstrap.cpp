#include "hearth/eval/statistics/bootstrap.h"

#include <algorithm>
#include <cmath>

#include "hearth/base/check.h"
#include "hearth/base/random.h"

namespace hearth::eval {
namespace {

constexpr double tail_resamples_min = 20;

ClusterSums resample(const std::vector<Cluster>& clusters, Random& random) {
  ClusterSums sums;
  for (std::size_t i = 0; i < clusters.size(); ++i) sums.add(clusters[random.below(clusters.size())]);
  return sums;
}

}  // namespace

BootstrapT::BootstrapT(const PairedSample& sample, const Estimate& estimate, std::uint64_t seed,
                       std::uint32_t resamples)
    : estimate_(estimate) {
  CHECK(resamples > 0);
  Random random(seed);
  t_.reserve(resamples);
  double squares = 0;
  for (std::uint32_t b = 0; b < resamples; ++b) {
    Estimate drawn{.degrees_of_freedom = estimate.degrees_of_freedom};
    double variance = 0;
    for (const PromptClass& one : sample.classes) {
      const ClusterSums sums = resample(one.clusters, random);
      drawn.difference += one.weight * sums.mean();
      variance += one.weight * one.weight * sums.variance_of_mean();
    }
    drawn.standard_error = std::sqrt(variance);
    t_.push_back(drawn.t_statistic(estimate.difference));
    squares += (drawn.difference - estimate.difference) * (drawn.difference - estimate.difference);
  }
  standard_error_ = std::sqrt(squares / resamples);
  std::ranges::sort(t_);
}

double BootstrapT::lower_limit(double level) const {
  if (estimate_.standard_error == 0) return estimate_.difference;
  const auto last = static_cast<double>(t_.size() - 1);
  return estimate_.difference -
         t_[static_cast<std::size_t>(std::ceil(level * last))] * estimate_.standard_error;
}

double BootstrapT::upper_limit(double level) const {
  if (estimate_.standard_error == 0) return estimate_.difference;
  const auto last = static_cast<double>(t_.size() - 1);
  return estimate_.difference -
         t_[static_cast<std::size_t>(std::floor((1 - level) * last))] * estimate_.standard_error;
}

double BootstrapT::p_above(double tested) const {
  const auto first = std::ranges::lower_bound(t_, estimate_.t_statistic(tested));
  return (static_cast<double>(t_.end() - first) + 1) / (static_cast<double>(t_.size()) + 1);
}

double BootstrapT::p_resolved() const {
  return tail_resamples_min / (static_cast<double>(t_.size()) + 1);
}

}  // namespace hearth::eval
