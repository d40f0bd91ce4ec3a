#pragma once
// The paired cluster bootstrap, studentised (bootstrap-t, Efron): clusters are drawn with
// replacement inside their class and carry everything of both arms along; of each resample the
// distance to the sample's mean is taken in the resample's own standard errors. The percentile
// form is not here: with ten prompts it errs in 8 % of cases where 5 % are meant.
//
// Pure: the same sample and seed give the same numbers. A cross-check of Student's t, not the judge.

#include <cstdint>

#include "hearth/eval/statistics/estimate.h"

namespace hearth::eval {

inline constexpr std::uint32_t bootstrap_resamples = 9'999;

class BootstrapT {
 public:
  // `estimate` is that of `sample`.
  BootstrapT(const PairedSample& sample, const Estimate& estimate, std::uint64_t seed,
             std::uint32_t resamples = bootstrap_resamples);

  double lower_limit(double level) const;
  double upper_limit(double level) const;
  // Share of resamples as far above as the sample is above `tested`, never below 1 / (B + 1).
  double p_above(double tested) const;
  // The smallest p that this many resamples can tell from a smaller one.
  double p_resolved() const;
  // Standard deviation of the resampled means.
  double standard_error() const { return standard_error_; }

 private:
  Estimate estimate_;
  std::vector<double> t_;  // sorted
  double standard_error_ = 0;
};

}  // namespace hearth::eval
