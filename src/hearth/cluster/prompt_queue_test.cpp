#include "hearth/cluster/prompt_queue.h"

#include <gtest/gtest.h>

namespace hearth::cluster {
namespace {

Instant at_s(int s) { return Instant(std::chrono::hours(1)) + std::chrono::seconds(s); }

TEST(PromptQueue, TellsWhatIsLeftOfEachTheLeastIsDoneFirst) {
  PromptQueue prompts;
  EXPECT_TRUE(prompts.left_s(at_s(0)).empty());
  prompts.begin(1, 10, at_s(0));
  prompts.begin(2, 3, at_s(1));
  EXPECT_EQ(prompts.left_s(at_s(2)), (std::vector<double>{9, 2}));
  EXPECT_EQ(prompts.left_s(at_s(6)), std::vector<double>{7});  // the second is later than predicted
  prompts.end(2, at_s(6));
  EXPECT_EQ(prompts.left_s(at_s(6)), std::vector<double>{7});
  EXPECT_FALSE(prompts.has_none());
  prompts.end(1, at_s(6));
  EXPECT_TRUE(prompts.left_s(at_s(6)).empty());
  EXPECT_TRUE(prompts.has_none());
}

TEST(PromptQueue, OnlyOneThatHadTheMachineToItselfSaysHowFastItIs) {
  PromptQueue prompts;
  prompts.begin(1, 10, at_s(0));
  EXPECT_TRUE(prompts.end(1, at_s(15)));
  prompts.begin(2, 10, at_s(20));
  EXPECT_TRUE(prompts.is_alone(2));
  prompts.begin(3, 1, at_s(25));
  EXPECT_FALSE(prompts.is_alone(2));
  EXPECT_FALSE(prompts.end(3, at_s(26)));
  EXPECT_FALSE(prompts.is_alone(2)) << "the time until now is not its own";
  EXPECT_FALSE(prompts.end(2, at_s(32)));
  prompts.begin(6, 0, at_s(33));  // nobody knows how long it takes
  EXPECT_TRUE(prompts.left_s(at_s(33)).empty());
  EXPECT_FALSE(prompts.has_none());
  prompts.begin(7, 1, at_s(34));
  EXPECT_FALSE(prompts.end(7, at_s(36)));
  prompts.begin(8, 1, at_s(37));
  EXPECT_FALSE(prompts.end(6, at_s(39)));
  EXPECT_FALSE(prompts.end(8, at_s(39)));
  prompts.begin(4, 10, at_s(40));
  EXPECT_TRUE(prompts.end(4, at_s(50)));
  EXPECT_TRUE(prompts.end(5, at_s(50)));  // another machine computed it
}

TEST(PromptQueue, OneThatBeginsAgainIsNotBesideItself) {
  PromptQueue prompts;
  prompts.begin(1, 10, at_s(0));
  prompts.begin(1, 10, at_s(5));
  EXPECT_EQ(prompts.left_s(at_s(6)), std::vector<double>{9});
  EXPECT_TRUE(prompts.end(1, at_s(15)));
}

TEST(PromptQueue, ForgetsTheOneWithTheLeastLeftBeyondItsBound) {
  PromptQueue prompts;
  for (std::uint64_t i = 0; i <= prompt_queue_max; ++i) prompts.begin(i, static_cast<double>(i + 1), at_s(0));
  const auto left = prompts.left_s(at_s(0));
  EXPECT_EQ(left.size(), prompt_queue_max);
  EXPECT_EQ(left.front(), 2);
}

}  // namespace
}  // namespace hearth::cluster
