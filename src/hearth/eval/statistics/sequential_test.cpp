#include "hearth/eval/statistics/sequential.h"

#include <gtest/gtest.h>

#include <cmath>

#include "hearth/base/random.h"
#include "hearth/eval/simulation/scripted.h"
#include "hearth/eval/statistics/distributions.h"
#include "hearth/eval/statistics/power.h"

namespace hearth::eval {
namespace {

std::vector<double> fractions(const NoiseModel& noise) {
  std::vector<double> out;
  for (const double k : {2.0, 3.0, 5.0, 8.0}) out.push_back(information_fraction(noise, k, 8));
  return out;
}

// The first are of the literature, the others of an independent recursion on a finer grid.
TEST(Sequential, BoundsAgreeWithPublishedOnes) {
  struct Case {
    std::vector<double> fractions;
    double alpha;
    Spending spending;
    std::vector<double> z;
  };
  const std::vector<Case> cases = {
      {{0.25, 0.5, 0.75, 1}, 0.025, Spending::obrien_fleming, {4.333, 2.963, 2.359, 2.014}},
      {fractions(near_copies()), 0.05, Spending::obrien_fleming, {3.680, 2.955, 2.213, 1.688}},
      {fractions(near_copies()), 0.05, Spending::pocock, {2.088, 2.200, 2.073, 1.982}},
      {fractions(rough_copies()), 0.05, Spending::obrien_fleming, {2.618, 2.278, 1.940, 1.749}},
      {fractions(rough_copies()), 0.05, Spending::pocock, {1.884, 2.072, 2.054, 2.057}},
      {{1}, 0.05, Spending::obrien_fleming, {1.645}}};
  for (const Case& one : cases) {
    const auto design = SequentialDesign::make(one.fractions, {.alpha = one.alpha, .spending = one.spending});
    ASSERT_TRUE(design) << design.error().message;
    for (std::size_t i = 0; i < one.z.size(); ++i) {
      EXPECT_NEAR(design->looks()[i].z_bound, one.z[i], 0.002) << "look " << i;
    }
  }
}

TEST(Sequential, SpendsAlphaAndNoMore) {
  for (const Spending spending : {Spending::obrien_fleming, Spending::pocock}) {
    const auto design = SequentialDesign::make({0.2, 0.4, 0.6, 0.8, 1}, {.spending = spending, .futility = false});
    EXPECT_NEAR(design->pass_probability(0), 0.05, 1e-5);
    EXPECT_NEAR(alpha_spent(spending, 0.05, 1), 0.05, 1e-12);
  }
  const auto futile = SequentialDesign::make({0.5, 1});
  EXPECT_LT(futile->pass_probability(0), 0.05);
}

TEST(Sequential, EndsSomewhere) {
  const auto design = SequentialDesign::make(fractions(near_copies()));
  for (const double drift : {-6.0, -1.0, 0.0, 1.0, 3.2, 8.0}) {
    double sum = 0;
    for (const double p : design->end_probabilities(drift)) {
      EXPECT_GE(p, -1e-9);
      sum += p;
    }
    EXPECT_NEAR(sum, 1, 1e-9);
  }
}

// Against the operating characteristics that a simulation of 40,000 studies gave.
TEST(Sequential, PassesAsSimulated) {
  const double error = near_copies().standard_error(50, 8);
  struct Case {
    Spending spending;
    bool futility;
    double at_tie, at_minus_one, mean_generations_at_tie;
  };
  for (const Case& one : {Case{Spending::obrien_fleming, false, 0.93, 0.66, 5.9}, Case{Spending::obrien_fleming, true, 0.89, 0.61, 5.5},
                          Case{Spending::pocock, false, 0.89, 0.60, 4.7}, Case{Spending::pocock, true, 0.86, 0.56, 4.4}}) {
    const auto design = SequentialDesign::make(fractions(near_copies()), {.spending = one.spending, .futility = one.futility});
    EXPECT_NEAR(design->pass_probability(0.03 / error), one.at_tie, 0.015);
    EXPECT_NEAR(design->pass_probability(0.02 / error), one.at_minus_one, 0.02);
    const auto ends = design->end_probabilities(0.03 / error);
    EXPECT_NEAR(2 * ends[0] + 3 * ends[1] + 5 * ends[2] + 8 * ends[3], one.mean_generations_at_tie, 0.15);
  }
}

TEST(Sequential, WithOneLookIsTheOrdinaryInterval) {
  const auto design = SequentialDesign::make({1});
  const Estimate found{.difference = 0.01, .standard_error = 0.01, .degrees_of_freedom = 45, .clusters = 50};
  const Interval interval = design->interval(0, found, -0.03, 0.95);
  EXPECT_DOUBLE_EQ(interval.low, found.interval(0.95).low);
  EXPECT_DOUBLE_EQ(interval.high, found.interval(0.95).high);
}

// A walk with known drift, stopped by the design: the interval holds the truth as often as it says,
// also where stopping early makes the plain one miss.
TEST(Sequential, IntervalHoldsTheTruthAfterStopping) {
  const auto design = SequentialDesign::make(fractions(near_copies()));
  constexpr int walks = 1'500;
  for (const double drift : {-2.0, 0.0, 1.0, 3.2}) {
    Random random(static_cast<std::uint64_t>(100 + drift));
    int holds = 0;
    for (int i = 0; i < walks; ++i) {
      double walk = 0, before = 0;
      for (std::size_t look = 0; look < design->looks().size(); ++look) {
        const double t = design->looks()[look].fraction;
        walk += drift * (t - before) + std::sqrt(t - before) * draw_normal(random);
        before = t;
        const double z = walk / std::sqrt(t);
        if (!design->is_last(look) && z > 0 && z < design->looks()[look].z_bound) continue;
        const Estimate found{.difference = walk / t, .standard_error = 1 / std::sqrt(t), .degrees_of_freedom = 1e6};
        holds += design->interval(look, found, 0, 0.95).contains(drift) ? 1 : 0;
        break;
      }
    }
    EXPECT_NEAR(static_cast<double>(holds) / walks, 0.95, 0.017) << "drift " << drift;
  }
}

TEST(Sequential, RefusesWhatIsNoSchedule) {
  for (const auto& bad : std::vector<std::vector<double>>{{}, {0.5}, {0.5, 0.5, 1}, {0, 1}, {1, 0.5}, {NAN, 1}}) {
    EXPECT_FALSE(SequentialDesign::make(bad));
  }
  EXPECT_FALSE(SequentialDesign::make({1}, {.alpha = 0}));
}

}  // namespace
}  // namespace hearth::eval
