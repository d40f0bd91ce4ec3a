#include "hearth/eval/statistics/power.h"

#include <gtest/gtest.h>

#include <limits>

namespace hearth::eval {
namespace {

// The planning tables: points and prompts.
TEST(Power, AgreesWithTheTables) {
  struct Case {
    NoiseModel noise;
    double k, error, margin50;
    std::uint32_t prompts;
  };
  for (const Case& one : {Case{near_copies(), 1, 2.6, 6.5, 234}, Case{near_copies(), 2, 1.9, 4.6, 117},
                          Case{near_copies(), 5, 1.2, 2.9, 48}, Case{near_copies(), 8, 0.94, 2.3, 30},
                          Case{rough_copies(), 1, 2.9, 7.1, 282}, Case{rough_copies(), 5, 1.7, 4.2, 96},
                          Case{other_models(), 3, 2.5, 6.2, 215}}) {
    const double error = one.noise.standard_error(50, one.k);
    EXPECT_NEAR(100 * error, one.error, 0.06);
    EXPECT_NEAR(100 * resolvable_margin(error, 0.8), one.margin50, 0.06);
    EXPECT_NEAR(prompts_needed(one.noise, one.k, 0.03), one.prompts, 1);
  }
  // Pass rate 0.8; all, half, a quarter of the variance within a prompt.
  EXPECT_NEAR(prompts_needed(pass_fail(0.8, 1), 1, 0.03), 2'198, 1);
  EXPECT_NEAR(prompts_needed(pass_fail(0.8, 0.5), 5, 0.03), 220, 1);
  EXPECT_NEAR(prompts_needed(pass_fail(0.8, 0.25), 10, 0.03), 55, 1);
  EXPECT_EQ(prompts_needed(pass_fail(0.8, 1), 1, 1e-9), std::numeric_limits<std::uint32_t>::max());
  EXPECT_NEAR(100 * paired_pass_fail_bound(0.05, 50), 8.9, 0.06);
}

TEST(Power, OfOneLookAgreesWithTheTable) {
  struct Case {
    double k, difference, passes;
  };
  for (const Case& one : {Case{1, 0, 0.31}, Case{5, 0, 0.82}, Case{5, -0.01, 0.52}, Case{5, -0.02, 0.21},
                          Case{8, 0, 0.94}, Case{8, -0.01, 0.69}, Case{5, -0.03, 0.05}}) {
    EXPECT_NEAR(pass_probability(one.difference, 0.03, near_copies().standard_error(50, one.k), 49), one.passes, 0.02);  // the table has normal quantiles
  }
}

TEST(Power, RepeatsOfTheJudgePayOnlyForANoisyOne) {
  NoiseModel steady = near_copies(), noisy = near_copies();
  noisy.sigma_judge = 0.15;
  const auto margin = [](NoiseModel noise, std::uint32_t repeats) {
    noise.judge_repeats = repeats;
    return 100 * resolvable_margin(noise.standard_error(50, 5), 0.8);
  };
  EXPECT_NEAR(margin(steady, 1), 2.93, 0.01);
  EXPECT_NEAR(margin(steady, 3), 2.79, 0.02);
  EXPECT_NEAR(margin(noisy, 1), 4.3, 0.05);
  EXPECT_NEAR(margin(noisy, 3), 3.3, 0.05);
}

}  // namespace
}  // namespace hearth::eval
