// The suite that ships: its size, and that its graders tell right from wrong.

#include <gtest/gtest.h>

#include "hearth/eval/sandbox/sandbox.h"
#include "hearth/eval/suite/lint.h"

namespace hearth::eval {
namespace {

const LoadedSuite& shipped() {
  static const LoadedSuite loaded = load_suite(shipped_suite_files(), "eval");
  return loaded;
}

TEST(ShippedSuite, HasTenItemsInEachClass) {
  EXPECT_EQ(shipped().problems, std::vector<std::string>{});
  std::size_t by_class[task_class_count] = {};
  for (const Item& item : shipped().suite.items) ++by_class[static_cast<std::size_t>(item.task_class)];
  for (const std::size_t count : by_class) EXPECT_EQ(count, 10u);
}

TEST(ShippedSuite, OnlyWritingNeedsAJudge) {
  for (const Item& item : shipped().suite.items) EXPECT_EQ(needs_judge(item.grader), item.task_class == TaskClass::writing) << item.id;
}

TEST(ShippedSuite, ReachesFrom16kTo200kTokens) {
  std::uint64_t shortest = UINT64_MAX, longest = 0;
  for (const Item& item : shipped().suite.items) {
    if (item.task_class != TaskClass::retrieval) continue;
    shortest = std::min(shortest, prompt_tokens_about(item));
    longest = std::max(longest, prompt_tokens_about(item));
  }
  EXPECT_LT(shortest, 17'000u);
  EXPECT_GE(longest, 200'000u);
}

TEST(ShippedSuite, EveryGraderTellsRightFromWrong) {
  const auto sandbox = Sandbox::open(HEARTH_SANDBOX_EXECUTABLE);
  ASSERT_TRUE(sandbox) << sandbox.error().message;
  const auto report = lint_suite(shipped(), &*sandbox, "", {}, [](double) {});
  ASSERT_TRUE(report);
  EXPECT_EQ(report->findings, std::vector<std::string>{});
  EXPECT_GE(report->sample_answers, 40u * 3);
}

}  // namespace
}  // namespace hearth::eval
