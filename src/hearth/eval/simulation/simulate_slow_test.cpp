// A thousand studies of each kind, against what docs/evaluation.md promises. The planned study must
// show the figures themselves; variants of it, whose true rates lie closer to a bound than a
// thousand runs can tell, the same within chance.

#include <gtest/gtest.h>

#include "hearth/eval/simulation/simulate.h"

namespace hearth::eval {
namespace {

TEST(SimulationSlow, PlannedStudyKeepsItsPromises) {
  const auto found = simulate({}, {}, {});
  ASSERT_TRUE(found) << found.error().message;
  for (const DifferenceResult& d : found->differences) {
    EXPECT_GE(d.coverage, coverage_min) << 100 * d.difference << " points";
    EXPECT_LE(d.coverage, coverage_max) << 100 * d.difference << " points";
    EXPECT_NEAR(d.passes, d.promised, power_off_max) << 100 * d.difference << " points";
  }
  EXPECT_LE(found->type1, type1_max);
  for (const JudgeResult& j : found->judges) {
    if (j.expected.empty()) {
      EXPECT_LE(j.voided, false_void_max);
    } else {
      EXPECT_GE(j.caught, caught_min) << j.judge;
      EXPECT_GE(j.voided, 0.99) << j.judge;
    }
  }
}

void expect_nothing_missed(const SimulationOptions& options) {
  const auto found = simulate(options, {}, {});
  ASSERT_TRUE(found) << found.error().message;
  for (const std::string& missed : found->missed) ADD_FAILURE() << missed;
}

TEST(SimulationSlow, RoughCopies) {
  SimulationOptions options;
  options.study.noise = rough_copies();
  expect_nothing_missed(options);
}

TEST(SimulationSlow, OneLook) {
  SimulationOptions options;
  options.study.generations = 5;
  options.study.one_look = true;
  expect_nothing_missed(options);
}

TEST(SimulationSlow, PassFailItems) {
  SimulationOptions options;
  options.study.noise = pass_fail(0.8, 0.5);
  options.grader = Grader::pass_fail;
  expect_nothing_missed(options);
}

}  // namespace
}  // namespace hearth::eval
