#include "hearth/eval/statistics/non_inferiority.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "hearth/eval/simulation/scripted.h"
#include "hearth/eval/statistics/class_guard.h"
#include "hearth/eval/statistics/power.h"

namespace hearth::eval {
namespace {

TEST(Holm, AgreesWithTheWorkedExample) {
  const std::vector<double> p = {0.01, 0.04, 0.03, 0.005};
  const std::vector<double> adjusted = holm_adjusted(p);
  const double expected[] = {0.03, 0.06, 0.06, 0.02};
  for (std::size_t i = 0; i < p.size(); ++i) EXPECT_NEAR(adjusted[i], expected[i], 1e-12);
  EXPECT_EQ(holm(p, 0.05), (std::vector<bool>{true, false, false, true}));
  EXPECT_TRUE(holm({}, 0.05).empty());
}

TEST(Holm, KeepsFalseClaimsOfAFamilyRare) {
  Random random(5);
  constexpr int families = 4'000;
  int wrong = 0;
  for (int i = 0; i < families; ++i) {
    std::vector<double> p;
    for (int c = 0; c < 5; ++c) p.push_back(random.uniform());
    const auto held = holm(p, 0.05);
    wrong += std::ranges::find(held, true) != held.end() ? 1 : 0;
  }
  EXPECT_LE(wrong, 0.062 * families);
}

TEST(MarginTest, PassesExactlyWhenTheLowerLimitIsAboveTheMargin) {
  const auto design = SequentialDesign::make({1});
  Random random(9);
  for (int study = 0; study < 200; ++study) {
    std::vector<double> differences;
    const double truth = -0.04 + 0.05 * random.uniform();
    for (int i = 0; i < 30; ++i) differences.push_back(truth + 0.06 * draw_normal(random));
    const auto found = test_margin(sample_of(differences), *design, {.resamples = 199});
    ASSERT_TRUE(found);
    EXPECT_EQ(found->t_passes, found->lower95 > -0.03);
    EXPECT_FALSE(found->passes() && found->shows_worse());
    if (found->is_equivalent) {
      EXPECT_TRUE(found->t_passes);
    }
  }
}

TEST(ClassGuard, ProofAsksForEvidenceAndAlarmForDamage) {
  // Five prompts of a class: a mean of -2 points with much or little spread.
  PairedSample sample;
  const auto add = [&](std::string name, std::vector<double> differences) {
    PromptClass one = sample_of(differences).classes[0];
    one.name = std::move(name);
    one.weight = 0.5;
    sample.classes.push_back(one);
  };
  add("steady", {-0.03, -0.01, -0.02, -0.02, -0.02});
  add("wild", {-0.42, 0.38, -0.22, 0.18, -0.02});
  const auto proof = guard_classes(sample, {GuardKind::proof, GuardKind::proof});
  EXPECT_TRUE((*proof)[0].holds);
  EXPECT_FALSE((*proof)[1].holds);
  const auto alarm = guard_classes(sample, {GuardKind::alarm, GuardKind::alarm});
  EXPECT_FALSE((*alarm)[0].holds);
  EXPECT_TRUE((*alarm)[1].holds);
}

TEST(ClassGuard, PoolingNeverOvershootsTheCommonMean) {
  Random random(2);
  PairedSample sample;
  for (int c = 0; c < 5; ++c) {
    std::vector<double> differences;
    for (int i = 0; i < 10; ++i) differences.push_back(0.02 * c + 0.05 * draw_normal(random));
    PromptClass one = sample_of(differences).classes[0];
    one.name = std::to_string(c);
    one.weight = 0.2;
    sample.classes.push_back(one);
  }
  const auto guards = guard_classes(sample, std::vector<GuardKind>(5, GuardKind::proof));
  double low = 1, high = -1;
  for (const ClassGuard& g : *guards) {
    low = std::min(low, g.estimate.difference);
    high = std::max(high, g.estimate.difference);
  }
  for (const ClassGuard& g : *guards) {
    EXPECT_GE(g.pooled, low);
    EXPECT_LE(g.pooled, high);
  }
}

// Shares of classes without any loss that pass, of the design table.
TEST(ClassGuard, PassesALosslessClassAsOftenAsTabulated) {
  constexpr int classes = 4'000;
  struct Case { double k, passes; };
  for (const Case& one : {Case{1, 0.64}, Case{3, 0.94}, Case{5, 0.99}}) {
    Random random(21);
    const double sigma = std::sqrt(near_copies().difference_variance(one.k));
    int passed = 0;
    for (int c = 0; c < classes; ++c) {
      std::vector<double> differences;
      for (int i = 0; i < 10; ++i) differences.push_back(sigma * draw_normal(random));
      passed += (*guard_classes(sample_of(differences), {GuardKind::proof}))[0].holds ? 1 : 0;
    }
    EXPECT_NEAR(static_cast<double>(passed) / classes, one.passes, 0.02);
  }
}

}  // namespace
}  // namespace hearth::eval
