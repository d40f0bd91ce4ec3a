#include "hearth/eval/statistics/sequential.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "hearth/base/check.h"
#include "hearth/eval/statistics/distributions.h"

namespace hearth::eval {
namespace {

constexpr std::size_t grid_intervals = 160;  // even, for Simpson's rule
constexpr double lowest_z = -10;             // where no giving up ends the region
constexpr double futile_z = 0;
constexpr double drift_max = 25;
constexpr double z_max = 12;
constexpr int halvings = 6;
constexpr int refinements_max = 60;
constexpr double precision = 1e-10;

double normal_density(double x) {
  return std::exp(-0.5 * x * x) / std::sqrt(2 * std::numbers::pi);
}

// The x in [low, high] where a rising function reaches the value: halving, then the Illinois form of
// false position.
template <class Function>
double solve_rising(Function&& f, double value, double low, double high) {
  for (int i = 0; i < halvings; ++i) {
    const double middle = 0.5 * (low + high);
    (f(middle) < value ? low : high) = middle;
  }
  double f_low = f(low) - value, f_high = f(high) - value;
  for (int i = 0; i < refinements_max && high - low > precision && f_low < f_high; ++i) {
    const double x = std::clamp(low - f_low * (high - low) / (f_high - f_low), low, high);
    const double f_x = f(x) - value;
    if (std::abs(f_x) < precision) return x;
    if (f_x < 0) {
      low = x;
      f_low = f_x;
      f_high *= 0.5;
    } else {
      high = x;
      f_high = f_x;
      f_low *= 0.5;
    }
  }
  return 0.5 * (low + high);
}

}  // namespace

double alpha_spent(Spending spending, double alpha, double fraction) {
  CHECK(fraction > 0 && fraction <= 1);
  if (spending == Spending::pocock) return alpha * std::log(1 + (std::numbers::e - 1) * fraction);
  return 2 - 2 * normal_cdf(normal_quantile(1 - alpha / 2) / std::sqrt(fraction));
}

Result<SequentialDesign> SequentialDesign::make(std::vector<double> fractions,
                                                const SequentialOptions& options) {
  const bool rises = std::ranges::adjacent_find(fractions, std::greater_equal<>()) == fractions.end();
  if (fractions.empty() || fractions.size() > looks_max || !rises || !(fractions.front() > 0) ||
      std::abs(fractions.back() - 1) > 1e-9) {
    return fail(Code::invalid_argument,
                fmt::format("looks at information {}: expected up to {} rising fractions that end in 1",
                            fmt::join(fractions, ", "), looks_max));
  }
  if (!(options.alpha > 0 && options.alpha < 0.5)) {
    return fail(Code::invalid_argument, fmt::format("alpha {}: expected between 0 and 0.5", options.alpha));
  }
  fractions.back() = 1;
  SequentialDesign out;
  out.options_ = options;
  // Non-binding: bounds as if nobody ever gave up.
  out.options_.futility = false;
  double spent = 0;
  for (const double fraction : fractions) {
    const double total = alpha_spent(options.spending, options.alpha, fraction);
    out.looks_.push_back({.fraction = fraction});
    const std::size_t look = out.looks_.size() - 1;
    const double z = solve_rising([&](double x) { return -out.reach_above(look, x, 0); },
                                  -(total - spent), -z_max, z_max);
    out.looks_.back().z_bound = z;
    out.looks_.back().nominal_p = normal_cdf(-z);
    spent = total;
    if (look + 1 < fractions.size()) out.add_region(look);
  }
  out.options_.futility = options.futility;
  out.regions_.clear();
  for (std::size_t look = 0; look + 1 < fractions.size(); ++look) out.add_region(look);
  return out;
}

void SequentialDesign::add_region(std::size_t look) {
  const double root = std::sqrt(looks_[look].fraction);
  const double low = (options_.futility ? futile_z : lowest_z) * root;
  const double high = std::max(looks_[look].z_bound * root, low);
  const double step = (high - low) / static_cast<double>(grid_intervals);
  Region region;
  for (std::size_t i = 0; i <= grid_intervals; ++i) {
    const double x = low + step * static_cast<double>(i);
    double density = 0;
    if (look == 0) {
      density = normal_density(x / root) / root;
    } else {
      const double added = std::sqrt(looks_[look].fraction - looks_[look - 1].fraction);
      const Region& before = regions_[look - 1];
      for (std::size_t j = 0; j < before.weight.size(); ++j) {
        density += before.weight[j] * normal_density((x - before.z_root_t[j]) / added) / added;
      }
    }
    const double simpson = i == 0 || i == grid_intervals ? 1 : i % 2 == 1 ? 4 : 2;
    region.z_root_t.push_back(x);
    region.weight.push_back(density * simpson * step / 3);
  }
  regions_.push_back(std::move(region));
}

// With a drift the density of the walk at x is multiplied by exp(drift x - drift^2 t / 2): one set
// of regions serves every drift.
double SequentialDesign::reach(std::size_t look, double z, double drift, double sign) const {
  const double t = looks_[look].fraction;
  const double x = z * std::sqrt(t);
  if (look == 0) return normal_cdf(sign * (drift * t - x) / std::sqrt(t));
  const double t_before = looks_[look - 1].fraction;
  const double added = t - t_before;
  const Region& before = regions_[look - 1];
  double sum = 0;
  for (std::size_t j = 0; j < before.weight.size(); ++j) {
    const double y = before.z_root_t[j];
    const double tilt = std::exp(drift * y - 0.5 * drift * drift * t_before);
    sum += before.weight[j] * tilt * normal_cdf(sign * (y + drift * added - x) / std::sqrt(added));
  }
  return sum;
}

double SequentialDesign::reach_above(std::size_t look, double z, double drift) const {
  return reach(look, z, drift, 1);
}
double SequentialDesign::reach_below(std::size_t look, double z, double drift) const {
  return reach(look, z, drift, -1);
}

double SequentialDesign::pass_probability(double drift) const {
  double sum = 0;
  for (std::size_t i = 0; i < looks_.size(); ++i) sum += reach_above(i, looks_[i].z_bound, drift);
  return std::min(sum, 1.0);
}

std::vector<double> SequentialDesign::end_probabilities(double drift) const {
  std::vector<double> out;
  double left = 1;
  for (std::size_t i = 0; i + 1 < looks_.size(); ++i) {
    double here = reach_above(i, looks_[i].z_bound, drift);
    if (options_.futility) here += reach_below(i, futile_z, drift);
    out.push_back(std::min(here, left));
    left -= out.back();
  }
  out.push_back(left);
  return out;
}

double SequentialDesign::at_least(std::size_t look, double z, double drift) const {
  const bool gave_up = !is_last(look) && z < looks_[look].z_bound;
  double sum = 0;
  for (std::size_t i = 0; i < look; ++i) {
    sum += gave_up ? (options_.futility ? reach_below(i, futile_z, drift) : 0)
                   : reach_above(i, looks_[i].z_bound, drift);
  }
  return gave_up ? 1 - sum - reach_below(look, z, drift) : sum + reach_above(look, z, drift);
}

double SequentialDesign::drift_with(std::size_t look, double z, double probability) const {
  const double centre = z / std::sqrt(looks_[look].fraction);
  return solve_rising([&](double drift) { return at_least(look, z, drift); }, probability,
                      centre - drift_max, centre + drift_max);
}

Interval SequentialDesign::interval(std::size_t look, const Estimate& estimate, double tested,
                                    double level) const {
  CHECK(look < looks_.size() && level > 0 && level < 1);
  const double z = estimate.t_statistic(tested);
  // So far out that no earlier look could have changed anything.
  if (look == 0 || std::abs(z) > z_max) return estimate.interval(level);
  const double tail = 0.5 - level / 2;
  const double widened = t_quantile(1 - tail, estimate.degrees_of_freedom) / normal_quantile(1 - tail);
  const double root = std::sqrt(looks_[look].fraction);
  const auto limit = [&](double probability) {
    const double z_limit = drift_with(look, z, probability) * root;
    return estimate.difference + (z_limit - z) * widened * estimate.standard_error;
  };
  return {limit(tail), limit(1 - tail)};
}

}  // namespace hearth::eval
