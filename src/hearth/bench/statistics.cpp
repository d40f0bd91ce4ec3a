#include "hearth/bench/statistics.h"

#include <algorithm>
#include <cmath>

namespace hearth::bench {
namespace {

constexpr double wanted_confidence = 0.95;
constexpr double histogram_least = 1e-6;
constexpr double histogram_step = 1.01;

// That the true median lies between the k-th smallest and the k-th largest of n values.
double coverage(std::size_t n, std::size_t k) {
  double term = std::pow(0.5, static_cast<double>(n)), below = 0;  // P(fewer than k of n below)
  for (std::size_t i = 0; i < k; ++i) {
    below += term;
    term *= static_cast<double>(n - i) / static_cast<double>(i + 1);
  }
  return 1 - 2 * below;
}

}  // namespace

double quantile(std::vector<double> values, double share) {
  if (values.empty()) return 0;
  std::ranges::sort(values);
  const double at = share * static_cast<double>(values.size() - 1);
  const auto below = static_cast<std::size_t>(at);
  const std::size_t above = std::min(below + 1, values.size() - 1);
  return values[below] + (at - static_cast<double>(below)) * (values[above] - values[below]);
}

Spread spread_of(std::vector<double> values) {
  if (values.empty()) return {};
  std::ranges::sort(values);
  const std::size_t n = values.size();
  // Half of 1,000 values lie within 31 of the middle: beyond that the exact sum is not needed.
  std::size_t k = 1;
  if (n > 1'000) k = static_cast<std::size_t>(static_cast<double>(n) / 2 - std::sqrt(static_cast<double>(n)));
  while (2 * (k + 1) <= n && n <= 1'000 && coverage(n, k + 1) >= wanted_confidence) ++k;
  return {.median = quantile(values, 0.5),
          .low = values[k - 1],
          .high = values[n - k],
          .confidence = n == 1 ? 0 : n > 1'000 ? wanted_confidence : coverage(n, k),
          .least = values.front(),
          .most = values.back(),
          .samples = n};
}

double noise_of(const Spread& spread) {
  return spread.median > 0 ? std::max(spread.median - spread.least, spread.most - spread.median) / spread.median : 0;
}

Json spread_json(const Spread& spread) {
  if (spread.samples == 0) return {};
  return Json::object({{"median", spread.median}, {"low", spread.low}, {"high", spread.high}, {"confidence", spread.confidence},
                       {"least", spread.least}, {"most", spread.most}, {"samples", spread.samples}});
}

void Histogram::add(double value) {
  const double place = std::log(std::max(value, histogram_least) / histogram_least) / std::log(histogram_step);
  ++counts_[std::min(bins - 1, static_cast<std::size_t>(place))];
  ++count_;
  most_ = std::max(most_, value);
  sum_ += value;
}

double Histogram::quantile(double share) const {
  if (count_ == 0) return 0;
  const auto wanted = static_cast<std::uint64_t>(std::ceil(share * static_cast<double>(count_)));
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < bins; ++i) {
    seen += counts_[i];
    if (seen >= std::max<std::uint64_t>(wanted, 1)) {
      return std::min(most_, histogram_least * std::pow(histogram_step, static_cast<double>(i) + 0.5));
    }
  }
  return most_;
}

}  // namespace hearth::bench
