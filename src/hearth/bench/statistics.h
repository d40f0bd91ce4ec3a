#pragma once
// Numbers out of repeated measurements: medians with intervals that assume nothing about how the
// values are spread, and quantiles of very many values in bounded memory. Pure.

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "hearth/base/json.h"

namespace hearth::bench {

// A median and the order statistics around it that hold the true one with `confidence`: exactly 95 %
// or a little more from six values on, less below (two values: 50 %).
struct Spread {
  double median = 0, low = 0, high = 0;
  double confidence = 0;
  double least = 0, most = 0;
  std::size_t samples = 0;  // 0: nothing was measured
};
Spread spread_of(std::vector<double> values);
Json spread_json(const Spread& spread);  // null for nothing
// How far the farthest value lies from the median, as a share of it.
double noise_of(const Spread& spread);

// Linear between order statistics; 0 for nothing.
double quantile(std::vector<double> values, double share);

// Counts of positive values by size, 1 % wide: quantiles within half a per cent, in 26 kB however many.
class Histogram {
 public:
  void add(double value);
  std::uint64_t count() const { return count_; }
  double quantile(double share) const;
  double most() const { return most_; }
  double sum() const { return sum_; }

 private:
  static constexpr std::size_t bins = 3'300;  // 1e-6 to 1e8
  std::array<std::uint64_t, bins> counts_{};
  std::uint64_t count_ = 0;
  double most_ = 0, sum_ = 0;
};

}  // namespace hearth::bench
