#pragma once
// Lines over contexts as SVG, both axes logarithmic: contexts span two decades and so do seconds.
// Used by the pages of plans and of measurements, whose styles give the colours (classes s0, s1, …).

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hearth::plan {

// Text as it may stand in HTML, attributes included.
std::string escaped(std::string_view text);

struct Series {
  std::string name;
  std::vector<std::pair<double, double>> points;
};

// A figure; empty without two different contexts.
std::string plot_svg(std::string_view title, std::string_view unit,
                     const std::vector<Series>& series);
// Which colour is which, for all plots of the same series.
std::string plot_legend(const std::vector<Series>& series);

}  // namespace hearth::plan
