#include "hearth/eval/simulation/simulate.h"

#include <gtest/gtest.h>

#include <cmath>

namespace hearth::eval {
namespace {

SimulationOptions quick() { return {.runs = 60, .seed = 1, .resamples = 999}; }

TEST(Simulation, MeetsItsTargetsWithinChance) {
  const auto found = simulate(quick(), {}, {});
  ASSERT_TRUE(found);
  for (const std::string& missed : found->missed) ADD_FAILURE() << missed;
  EXPECT_EQ(found->differences.size(), 4u);
  EXPECT_EQ(found->judges.size(), 7u);
}

TEST(Simulation, IsRepeatable) {
  SimulationOptions options = quick();
  options.runs = 5;
  EXPECT_EQ(simulation_json(*simulate(options, {}, {})), simulation_json(*simulate(options, {}, {})));
  SimulationOptions other = options;
  other.seed = 2;
  EXPECT_NE(dump_json(simulation_json(*simulate(options, {}, {}))), dump_json(simulation_json(*simulate(other, {}, {}))));
}

TEST(Simulation, HearsOfStops) {
  StopSource stop;
  stop.request_stop();
  const auto found = simulate(quick(), stop.token(), {});
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, Code::cancelled);
}

// What the spending of alpha is for: looking at every stage with p < 0.05 passes one bad arm in
// eight. A simulation that could not see this would prove nothing.
TEST(Simulation, SeesThatPeekingIsWrong) {
  const ComparisonPlan plan = *plan_comparison(near_copies(), {2, 3, 5, 8}, {.futility = false});
  constexpr int studies = 2'000;
  int passed = 0;
  for (int study = 0; study < studies; ++study) {
    Random random(static_cast<std::uint64_t>(study));
    const ScriptedArms arms({.difference = -0.03}, random);
    std::vector<double> sums(arms.prompts());
    bool passes = false;
    for (int k = 1; k <= 8; ++k) {
      for (std::size_t i = 0; i < sums.size(); ++i) sums[i] += arms.candidate(i, random).quality - arms.reference(i, random).quality;
      if (k != 2 && k != 3 && k != 5 && k != 8) continue;
      std::vector<double> differences;
      for (const double sum : sums) differences.push_back(sum / k);
      passes = passes || estimate(sample_of(differences))->p_above(-0.03) < 0.05;
    }
    passed += passes ? 1 : 0;
  }
  EXPECT_GT(passed, 0.10 * studies);
}

TEST(Scripted, DrawsHaveTheirMoments) {
  Random random(6);
  constexpr int draws = 20'000;
  double sum = 0, squares = 0, beta_sum = 0, beta_squares = 0;
  for (int i = 0; i < draws; ++i) {
    const double z = draw_normal(random), b = draw_beta(random, 0.8, 0.2);
    sum += z;
    squares += z * z;
    beta_sum += b;
    beta_squares += b * b;
  }
  EXPECT_NEAR(sum / draws, 0, 0.03);
  EXPECT_NEAR(squares / draws, 1, 0.04);
  const double mean = beta_sum / draws;
  EXPECT_NEAR(mean, 0.8, 0.01);
  EXPECT_NEAR(beta_squares / draws - mean * mean, 0.8 * 0.2 / 2, 0.005);  // a + b = 1
}

}  // namespace
}  // namespace hearth::eval
