#include "hearth/plan/output/plot.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "hearth/plan/output/layout.h"

namespace hearth::plan {
namespace {

constexpr double plot_width = 520;
constexpr double plot_height = 260;
constexpr double margin_left = 78;  // "10000 tok/s"
constexpr double margin_bottom = 40;
constexpr double margin_top = 14;
constexpr double margin_right = 14;

constexpr double tick_factor_x = 4;
constexpr double last_tick_factor_min = 1.5;  // nearer labels would touch
constexpr double fine_ticks_span_max = 100;   // beyond it only powers of ten

// Of 1, 2, 5, 10, 20, …: the largest up to `value`, the smallest from it on.
double step_below(double value) {
  const double decade = std::pow(10, std::floor(std::log10(value) + 1e-9));
  for (const double step : {5.0, 2.0}) {
    if (decade * step <= value * (1 + 1e-9)) return decade * step;
  }
  return decade;
}
double step_above(double value) {
  const double below = step_below(value);
  if (below >= value * (1 - 1e-9)) return below;
  return step_below(below * 2.5 + 1e-300);  // 2, 5, 10
}

class Plot {
 public:
  Plot(std::string_view title, std::string_view unit, const std::vector<Series>& series)
      : title_(title), unit_(unit), series_(series) {
    for (const Series& s : series_) {
      for (const auto& [x, y] : s.points) {
        x_low_ = std::min(x_low_, x);
        x_high_ = std::max(x_high_, x);
        y_low_ = std::min(y_low_, y);
        y_high_ = std::max(y_high_, y);
      }
    }
    if (y_high_ <= 0) return;  // nothing to draw
    y_low_ = step_below(y_low_);
    y_high_ = std::max(step_above(y_high_), step_above(y_low_ * 1.01));
  }

  std::string svg() const {
    if (series_.empty() || x_high_ <= x_low_) return "";
    std::string out = fmt::format(
        "<figure><figcaption>{}</figcaption><svg viewBox=\"0 0 {:.0f} {:.0f}\" role=\"img\" "
        "aria-label=\"{}\">\n",
        escaped(title_), plot_width, plot_height, escaped(title_));
    out += axes();
    for (std::size_t i = 0; i < series_.size(); ++i) out += line(i);
    return out + "</svg></figure>\n";
  }

 private:
  double x_at(double x) const {
    return margin_left + (plot_width - margin_left - margin_right) * std::log(x / x_low_) /
                             std::log(x_high_ / x_low_);
  }
  double y_at(double y) const {
    return margin_top + (plot_height - margin_top - margin_bottom) *
                            (1 - std::log(y / y_low_) / std::log(y_high_ / y_low_));
  }
  std::string axes() const {
    std::string out;
    const bool fine = y_high_ / y_low_ <= fine_ticks_span_max;
    const double first = fine ? y_low_ : std::pow(10, std::ceil(std::log10(y_low_) - 1e-9));
    for (double y = first; y <= y_high_ * 1.001; y = fine ? step_above(y * 1.01) : y * 10) {
      out += fmt::format(
          "<line class=\"grid\" x1=\"{:.1f}\" x2=\"{:.1f}\" y1=\"{:.1f}\" y2=\"{:.1f}\"/>"
          "<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"end\">{:g} {}</text>\n",
          margin_left, plot_width - margin_right, y_at(y), y_at(y), margin_left - 6, y_at(y) + 4, y,
          unit_);
    }
    std::vector<double> ticks;
    for (double x = x_low_; x <= x_high_ * 1.001; x *= tick_factor_x) ticks.push_back(x);
    if (x_high_ > ticks.back() * last_tick_factor_min) ticks.push_back(x_high_);
    for (const double x : ticks) {
      out +=
          fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\">{}</text>\n", x_at(x),
                      plot_height - margin_bottom + 18, tokens_text(static_cast<std::uint64_t>(x)));
    }
    return out +
           fmt::format(
               "<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\">tokens of context</text>\n",
               (margin_left + plot_width) / 2, plot_height - 4);
  }
  std::string line(std::size_t i) const {
    std::string points;
    for (const auto& [x, y] : series_[i].points)
      points += fmt::format("{:.1f},{:.1f} ", x_at(x), y_at(y));
    std::string out = fmt::format("<polyline class=\"s{}\" points=\"{}\"/>\n", i, points);
    for (const auto& [x, y] : series_[i].points) {
      out += fmt::format(
          "<circle class=\"s{}\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3\"><title>{}: {} {} at {} "
          "tokens</title></circle>\n",
          i, x_at(x), y_at(y), escaped(series_[i].name), rate_text(y), unit_,
          tokens_text(static_cast<std::uint64_t>(x)));
    }
    return out;
  }
  std::string_view title_;
  std::string_view unit_;
  const std::vector<Series>& series_;
  double x_low_ = 1e300, x_high_ = 0, y_low_ = 1e300, y_high_ = 1e-300;
};

}  // namespace

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string plot_svg(std::string_view title, std::string_view unit,
                     const std::vector<Series>& series) {
  return Plot(title, unit, series).svg();
}

std::string plot_legend(const std::vector<Series>& series) {
  std::string out = "<ul class=\"legend\">";
  for (std::size_t i = 0; i < series.size(); ++i) {
    out += fmt::format("<li><span class=\"s{}\"></span>{}</li>", i, escaped(series[i].name));
  }
  return out + "</ul>\n";
}

}  // namespace hearth::plan
