#pragma once
// A quantity measured several times: its median and how far the others lie from it. Pure.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace hearth::node {

struct Measured {
  double median = 0;
  double spread = 0;  // largest distance from the median, as a share of it
  std::size_t samples = 0;
};

inline Measured summarise(std::vector<double> values) {
  if (values.empty()) return {};
  std::ranges::sort(values);
  const std::size_t half = values.size() / 2;
  const double median =
      values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
  const double farthest = std::max(median - values.front(), values.back() - median);
  return {median, median > 0 ? farthest / median : 0, values.size()};
}

}  // namespace hearth::node
