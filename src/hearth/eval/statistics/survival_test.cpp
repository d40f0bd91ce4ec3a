#include "hearth/eval/statistics/survival.h"

#include <gtest/gtest.h>

#include <cmath>

#include "hearth/base/random.h"

namespace hearth::eval {
namespace {

std::vector<Chain> chains(std::initializer_list<std::uint32_t> failed, std::initializer_list<std::uint32_t> alive,
                          std::uint32_t stratum = 0) {
  std::vector<Chain> out;
  for (const std::uint32_t depth : failed) out.push_back({depth, true, stratum});
  for (const std::uint32_t depth : alive) out.push_back({depth, false, stratum});
  return out;
}

// Remission in leukaemia (Freireich 1963): 6-mercaptopurine against placebo, in every textbook.
const std::vector<Chain> treated = chains({6, 6, 6, 7, 10, 13, 16, 22, 23}, {6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35});
const std::vector<Chain> placebo = chains({1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23}, {});

TEST(KaplanMeier, AgreesWithTheTextbook) {
  const auto found = kaplan_meier(treated);
  ASSERT_TRUE(found);
  struct Case { std::uint32_t depth; double survival; };
  for (const Case& one : {Case{5, 1.0}, Case{6, 0.8571}, Case{7, 0.8067}, Case{10, 0.7529}, Case{13, 0.6902},
                          Case{16, 0.6275}, Case{22, 0.5378}, Case{23, 0.4482}, Case{35, 0.4482}}) {
    EXPECT_NEAR(found->at(one.depth)->survival, one.survival, 1e-4);
  }
  EXPECT_EQ(found->median(), 23u);
  // survival::survfit(conf.type = "log-log") of R at 10 weeks.
  EXPECT_NEAR(found->at(10)->low, 0.5032, 1e-3);
  EXPECT_NEAR(found->at(10)->high, 0.8894, 1e-3);
  EXPECT_FALSE(found->at(36));
  EXPECT_EQ(kaplan_meier(placebo)->median(), 8u);
}

TEST(LogRank, AgreesWithTheTextbook) {
  const auto found = log_rank(treated, placebo);
  ASSERT_TRUE(found);
  EXPECT_NEAR(found->observed, 9, 1e-12);
  EXPECT_NEAR(found->expected, 19.25, 0.005);
  EXPECT_NEAR(found->chi_square, 16.79, 0.005);
  EXPECT_NEAR(found->p, 4.17e-5, 1e-7);
  EXPECT_NEAR(found->p_worse, 1, 1e-4);
  EXPECT_LT(log_rank(placebo, treated)->p_worse, 1e-4);
}

TEST(LogRank, ComparesWithinStrata) {
  // Within each task the arms are alike; one arm only ran more of the hard task.
  std::vector<Chain> a = chains({1, 1, 1, 1, 1, 1}, {8}, 0), b = chains({1}, {8}, 0);
  a = chains({1, 2, 1, 2, 1, 2}, {}, 0);
  b = chains({1, 2}, {}, 0);
  for (const Chain& chain : chains({9}, {9}, 1)) a.push_back(chain);
  for (const Chain& chain : chains({9, 9, 9}, {9, 9, 9}, 1)) b.push_back(chain);
  EXPECT_GT(log_rank(a, b)->p, 0.99);
}

TEST(Survival, HalfLifeIsThatOfTheConstantHazard) {
  struct Case { double p, s8, half_life; };
  for (const Case& one : {Case{0.95, 0.663, 13.5}, Case{0.92, 0.513, 8.3}}) {
    Random random(17);
    std::vector<Chain> found;
    for (int i = 0; i < 4'000; ++i) {
      std::uint32_t depth = 1;
      while (depth < 32 && random.chance(one.p)) ++depth;
      // At 32 the last call may have succeeded: then the chain is alive.
      found.push_back({depth, depth < 32 || !random.chance(one.p)});
    }
    const auto curve = kaplan_meier(found);
    EXPECT_NEAR(curve->at(8)->survival, one.s8, 0.02);
    EXPECT_NEAR(*curve->half_life(), one.half_life, 0.06 * one.half_life);
    EXPECT_NEAR(curve->hazard_up_to(8), curve->hazard_after(8), 0.01);
  }
}

// 96 chains with 8 % errors a call: the interval of S(8) holds the truth.
TEST(Survival, IntervalHoldsTheTruth) {
  const double truth = std::pow(0.92, 8);
  constexpr int studies = 2'000;
  int holds = 0;
  Random random(4);
  for (int study = 0; study < studies; ++study) {
    std::vector<Chain> found;
    for (int i = 0; i < 96; ++i) {
      std::uint32_t depth = 1;
      while (depth <= 32 && random.chance(0.92)) ++depth;
      found.push_back({std::min(depth, 32u), depth <= 32});
    }
    const auto point = kaplan_meier(found)->at(8);
    holds += point->low <= truth && truth <= point->high ? 1 : 0;
  }
  EXPECT_GE(holds, 0.93 * studies);
  EXPECT_LE(holds, 0.97 * studies);
}

TEST(Survival, WithoutFailuresStillHasAnInterval) {
  const auto found = kaplan_meier(chains({}, {8, 8, 8, 8, 8, 8, 8, 8, 8, 8}));
  EXPECT_EQ(found->at(8)->survival, 1);
  EXPECT_NEAR(found->at(8)->low, 0.6915, 1e-4);  // Clopper and Pearson, 10 of 10
  EXPECT_FALSE(found->half_life());
  EXPECT_FALSE(found->median());
  const auto none_left = kaplan_meier(chains({1, 1, 1}, {}));
  EXPECT_EQ(none_left->at(1)->low, 0);
  EXPECT_NEAR(none_left->at(1)->high, 0.7076, 1e-4);
}

TEST(Survival, RefusesWhatIsNoChain) {
  EXPECT_FALSE(kaplan_meier({}));
  EXPECT_FALSE(kaplan_meier(std::vector<Chain>{{0, true}}));
  EXPECT_FALSE(kaplan_meier(std::vector<Chain>{{chain_depth_max + 1, true}}));
}

TEST(Survival, FailuresNeededAgreeWithTheTable) {
  EXPECT_NEAR(failures_needed(1.25), 497, 1);
  EXPECT_NEAR(failures_needed(1.5), 150, 1);
  EXPECT_NEAR(failures_needed(2), 51, 1);
  EXPECT_NEAR(failures_needed(3), 20, 1);
}

}  // namespace
}  // namespace hearth::eval
