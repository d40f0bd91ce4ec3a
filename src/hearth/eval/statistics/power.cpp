#include "hearth/eval/statistics/power.h"

#include <cmath>
#include <limits>

#include "hearth/base/check.h"
#include "hearth/eval/statistics/distributions.h"

namespace hearth::eval {

double NoiseModel::difference_variance(double generations) const {
  CHECK(generations > 0 && judge_repeats > 0);
  return 2 * (sigma_prompt * sigma_prompt + sigma_generation * sigma_generation / generations +
              sigma_judge * sigma_judge / (generations * judge_repeats));
}

double NoiseModel::standard_error(double prompts, double generations) const {
  return std::sqrt(difference_variance(generations) / prompts);
}

NoiseModel near_copies() { return {}; }
NoiseModel rough_copies() { return {.sigma_prompt = 0.06}; }
NoiseModel other_models() { return {.sigma_prompt = 0.10}; }

NoiseModel pass_fail(double pass_rate, double within_share) {
  return {.sigma_prompt = 0,
          .sigma_generation = std::sqrt(pass_rate * (1 - pass_rate) * within_share),
          .sigma_judge = 0};
}

double resolvable_margin(double standard_error, double power, double alpha) {
  return (normal_quantile(1 - alpha) + normal_quantile(power)) * standard_error;
}

double pass_probability(double difference, double margin, double standard_error,
                        double degrees_of_freedom, double alpha) {
  const double needed = t_quantile(1 - alpha, degrees_of_freedom);
  return 1 - noncentral_t_cdf(needed, degrees_of_freedom, (difference + margin) / standard_error);
}

std::uint32_t prompts_needed(const NoiseModel& noise, double generations, double margin,
                             double power, double alpha) {
  const double per_prompt =
      resolvable_margin(std::sqrt(noise.difference_variance(generations)), power, alpha);
  const double prompts = std::ceil(per_prompt * per_prompt / (margin * margin));
  constexpr double most = std::numeric_limits<std::uint32_t>::max();
  return prompts < most ? static_cast<std::uint32_t>(prompts) : std::numeric_limits<std::uint32_t>::max();
}

double information_fraction(const NoiseModel& noise, double generations, double generations_max) {
  return noise.difference_variance(generations_max) / noise.difference_variance(generations);
}

double paired_pass_fail_bound(double disagreement_rate, double items, double power, double alpha) {
  return (normal_quantile(1 - alpha / 2) + normal_quantile(power)) *
         std::sqrt(disagreement_rate / items);
}

}  // namespace hearth::eval
