#pragma once
// Is the candidate at most a margin worse? One-sided tests, and several of them together. Pure.
//
// Non-inferiority: passes when the lower one-sided limit of the difference lies above -margin.
// Equivalence (two one-sided tests) asks the same from above; it is reported and decides nothing.

#include <optional>
#include <span>
#include <vector>

#include "hearth/eval/statistics/bootstrap.h"
#include "hearth/eval/statistics/sequential.h"

namespace hearth::eval {

struct MarginTest {
  Estimate estimate;
  double margin = 0;        // in units of the scores; 0 for a relative margin's linear form
  Interval ci95;            // two-sided, right for the look at which the study is
  double lower95 = 0;       // one-sided: the ends of the two-sided 90 % interval
  double upper95 = 0;
  double p = 1;             // of "worse by the margin or more", by Student's t
  double bootstrap_p = 1;
  double nominal_p = 0;     // what p must reach at this look
  bool t_passes = false;
  bool bootstrap_passes = false;
  bool is_equivalent = false;  // the 90 % interval lies inside the margin on both sides

  // The more cautious of the two methods.
  bool passes() const { return t_passes && bootstrap_passes; }
  bool shows_worse() const { return upper95 < -margin; }
  // Not even close to a pass: the study may end here (before its last look).
  bool is_futile() const { return estimate.difference <= -margin; }
};

struct MarginTestOptions {
  double margin = 0.03;
  std::size_t look = 0;
  std::uint64_t seed = 1;
  std::uint32_t resamples = bootstrap_resamples;
};

Result<MarginTest> test_margin(const PairedSample& sample, const SequentialDesign& design,
                               const MarginTestOptions& options);

// Holm's step-down: which of the claims with these p values hold together at alpha.
std::vector<bool> holm(std::span<const double> p, double alpha);
// The p that each claim would need at least, adjusted for all: holds if at most alpha.
std::vector<double> holm_adjusted(std::span<const double> p);

}  // namespace hearth::eval
