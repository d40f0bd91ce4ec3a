#pragma once
// The probability distributions of the quality bench. Pure; Boost.Math stays behind this header.
//
// Probabilities are in (0, 1), degrees of freedom above 0 and not necessarily whole; anything else
// is our mistake and a CHECK.

namespace hearth::eval {

double normal_cdf(double z);
double normal_quantile(double probability);

double t_cdf(double t, double degrees_of_freedom);
double t_quantile(double probability, double degrees_of_freedom);
// Of a t statistic whose true mean lies `shift` standard errors from the tested value.
double noncentral_t_cdf(double t, double degrees_of_freedom, double shift);

// Probability of more than x.
double chi_square_tail(double x, double degrees_of_freedom);

}  // namespace hearth::eval
