#pragma once
// The mean difference of a paired sample, its standard error and Student's t.
//
//   class c with G clusters and n prompts:  D_c = mean difference
//     SE_c^2 = G/(G-1) * sum over clusters (sum over its prompts of (D_i - D_c))^2 / n^2
//   all classes:  D = sum w_c D_c,  SE^2 = sum w_c^2 SE_c^2
//   degrees of freedom: G - 1 of one class; of several, Welch and Satterthwaite's
//
// With a cluster a prompt, SE_c is the ordinary s / sqrt(n). Pure. Differences as in the sample.

#include <cstddef>

#include "hearth/eval/statistics/paired.h"

namespace hearth::eval {

struct Interval {
  double low = 0;
  double high = 0;
  bool contains(double value) const { return low <= value && value <= high; }
};

struct Estimate {
  double difference = 0;
  double standard_error = 0;
  double degrees_of_freedom = 0;
  std::size_t clusters = 0;

  // One-sided limits: at `level` 0.95 the truth is below (above) it in 5 % of studies.
  double lower_limit(double level) const;
  double upper_limit(double level) const;
  // Two-sided.
  Interval interval(double level) const;
  // (difference - tested) / SE. Without any spread: infinite with its sign, or 0.
  double t_statistic(double tested) const;
  // Of "the difference is at most `tested`": small speaks for a larger one.
  double p_above(double tested) const;
};

// invalid_argument, naming the class, if a class has fewer than two clusters.
Result<Estimate> estimate(const PairedSample& sample);
Result<Estimate> estimate_class(const PromptClass& prompt_class);

// What a class's mean and its squared standard error are made of, cluster by cluster.
struct ClusterSums {
  double clusters = 0, sum = 0, prompts = 0, sum_squares = 0, cross = 0, prompts_squares = 0;

  void add(const Cluster& cluster);
  double mean() const { return sum / prompts; }
  double variance_of_mean() const;  // of at least two clusters
};

}  // namespace hearth::eval
