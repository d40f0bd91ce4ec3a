#pragma once
// Looking at results before all generations are in, without more false passes: a group-sequential
// design. Generations are added to the same prompts, so the estimate at K generations has
// independent increments and information 1 / Var(K); alpha is spent over the looks as Lan and
// DeMets do it, bounds come from the recursion of Armitage, McPherson and Rowe.
//
// Everything is in z: the estimate's distance from the tested value in standard errors. `drift` is
// the expected z at the last look. One look is the ordinary test. Immutable once made; pure.

#include <span>
#include <string_view>
#include <vector>

#include "hearth/eval/statistics/estimate.h"

namespace hearth::eval {

enum class Spending : std::uint8_t { obrien_fleming, pocock };

// Alpha spent up to an information fraction in (0, 1].
double alpha_spent(Spending spending, double alpha, double fraction);

struct Look {
  double fraction = 1;  // of the information of the last look
  double z_bound = 0;   // pass at or above
  double nominal_p = 0;  // the same as a one-sided p, to be used with quantiles of t
};

struct SequentialOptions {
  double alpha = 0.05;  // one-sided
  Spending spending = Spending::obrien_fleming;
  // Give up where z <= 0 at a look before the last. Non-binding: bounds do not count on it.
  bool futility = true;
};

class SequentialDesign {
 public:
  // Fractions rise and end in 1; looks_max of them at most. invalid_argument otherwise.
  static Result<SequentialDesign> make(std::vector<double> fractions,
                                       const SequentialOptions& options = {});

  std::span<const Look> looks() const { return looks_; }
  const SequentialOptions& options() const { return options_; }
  bool is_last(std::size_t look) const { return look + 1 == looks_.size(); }

  // Probability of passing, and of ending at each look by passing or giving up.
  double pass_probability(double drift) const;
  std::vector<double> end_probabilities(double drift) const;

  // Two-sided limits for the truth after the study ended at `look` with `difference` and
  // `standard_error` (df degrees of freedom), tested against `tested`. Outcomes are ordered by the
  // stage at which they end (Tsiatis, Rosner and Mehta), so stopping early does not bias them; the
  // distances from the estimate are widened by t over z. At the only look: the t interval.
  Interval interval(std::size_t look, const Estimate& estimate, double tested, double level) const;

 private:
  // Where the walk may be at a look without having ended: its density without drift.
  struct Region {
    std::vector<double> z_root_t;  // the walk itself, z * sqrt(fraction)
    std::vector<double> weight;    // density times the weight of Simpson's rule
  };

  SequentialDesign() = default;
  // P(reaching `look`, and z there above the value).
  double reach_above(std::size_t look, double z, double drift) const;
  double reach_below(std::size_t look, double z, double drift) const;
  double reach(std::size_t look, double z, double drift, double sign) const;
  // P(an outcome at least as good as ending at `look` with z).
  double at_least(std::size_t look, double z, double drift) const;
  double drift_with(std::size_t look, double z, double probability) const;
  void add_region(std::size_t look);

  SequentialOptions options_;
  std::vector<Look> looks_;
  std::vector<Region> regions_;  // of all looks but the last
};

inline constexpr std::size_t looks_max = 20;

}  // namespace hearth::eval
