#include "hearth/eval/statistics/distributions.h"

#include <boost/math/distributions/chi_squared.hpp>
#include <boost/math/distributions/non_central_t.hpp>
#include <boost/math/distributions/normal.hpp>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>
#include <limits>

#include "hearth/base/check.h"

namespace hearth::eval {
namespace {

namespace policies = boost::math::policies;
// Nothing of ours throws: what cannot be computed is NaN or infinite. Arguments are checked before.
using Quiet = policies::policy<
    policies::domain_error<policies::ignore_error>, policies::pole_error<policies::ignore_error>,
    policies::overflow_error<policies::ignore_error>,
    policies::evaluation_error<policies::ignore_error>, policies::promote_double<false>>;

using Normal = boost::math::normal_distribution<double, Quiet>;
using StudentsT = boost::math::students_t_distribution<double, Quiet>;
using NoncentralT = boost::math::non_central_t_distribution<double, Quiet>;
using ChiSquared = boost::math::chi_squared_distribution<double, Quiet>;

bool is_probability(double p) { return p > 0 && p < 1; }

// Beyond this the series of the noncentral distribution end in 0 or 1 anyway.
constexpr double shift_max = 37;

}  // namespace

double normal_cdf(double z) { return 0.5 * std::erfc(-z / std::sqrt(2.0)); }

double normal_quantile(double probability) {
  CHECK(is_probability(probability));
  return boost::math::quantile(Normal(), probability);
}

double t_cdf(double t, double degrees_of_freedom) {
  CHECK(degrees_of_freedom > 0 && !std::isnan(t));
  if (std::isinf(t)) return t > 0 ? 1 : 0;
  return boost::math::cdf(StudentsT(degrees_of_freedom), t);
}

double t_quantile(double probability, double degrees_of_freedom) {
  CHECK(is_probability(probability) && degrees_of_freedom > 0);
  return boost::math::quantile(StudentsT(degrees_of_freedom), probability);
}

double noncentral_t_cdf(double t, double degrees_of_freedom, double shift) {
  CHECK(degrees_of_freedom > 0 && !std::isnan(t) && !std::isnan(shift));
  if (shift > shift_max) return 0;
  if (shift < -shift_max) return 1;
  return boost::math::cdf(NoncentralT(degrees_of_freedom, shift), t);
}

double chi_square_tail(double x, double degrees_of_freedom) {
  CHECK(degrees_of_freedom > 0 && x >= 0);
  if (std::isinf(x)) return 0;
  return boost::math::cdf(boost::math::complement(ChiSquared(degrees_of_freedom), x));
}

}  // namespace hearth::eval
