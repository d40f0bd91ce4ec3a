#include "hearth/eval/study_plan.h"

#include <gtest/gtest.h>

namespace hearth::eval {
namespace {

TEST(StudyPlan, FindsTheFewestGenerations) {
  const auto once = plan_study({.one_look = true});
  ASSERT_TRUE(once);
  EXPECT_TRUE(once->is_reachable);
  EXPECT_EQ(once->generations, 5u);
  const auto looks = plan_study({});
  EXPECT_GE(looks->generations, 5u);  // looking early costs a little
  EXPECT_LE(looks->generations, 7u);
  EXPECT_GE(looks->power, 0.8);
  EXPECT_LT(plan_study({.generations = looks->generations - 1})->power, 0.8);
}

TEST(StudyPlan, SaysWhenNoNumberWillDo) {
  const auto found = plan_study({.prompts = 10, .classes = 1, .noise = other_models()});
  ASSERT_TRUE(found);
  EXPECT_FALSE(found->is_reachable);
  EXPECT_NE(found->sentence.find("prompts"), std::string::npos);
}

TEST(StudyPlan, LooksGrowLikeTheirDistances) {
  EXPECT_EQ(looks_up_to(1), (std::vector<double>{1}));
  EXPECT_EQ(looks_up_to(2), (std::vector<double>{2}));
  EXPECT_EQ(looks_up_to(8), (std::vector<double>{2, 3, 5, 8}));
  EXPECT_EQ(looks_up_to(10), (std::vector<double>{2, 3, 5, 8, 10}));
}

// 50 prompts, 3 arms, 5 generations: 750 answers, 104 hours at 5k tokens and 10 tokens a second;
// 34 for grading each once at 5 and 25, 1.5 times that with the controls.
TEST(StudyPlan, CountsHoursAndMoney) {
  const auto found = plan_study({.one_look = true, .generations = 5, .arms = 3, .input_price = 5, .output_price = 25});
  ASSERT_TRUE(found);
  EXPECT_NEAR(found->hours, 104.2, 0.1);
  EXPECT_NEAR(found->money, 1.5 * 33.75, 0.01);
  EXPECT_NEAR(found->hours_expected, found->hours, 1e-9);
  EXPECT_NEAR(found->gradings, 1'125, 1e-9);
  const auto early = plan_study({.generations = 8});
  EXPECT_LT(early->hours_expected, early->hours);
}

TEST(StudyPlan, PassesAtTheMarginInAtMostFiveOfHundred) {
  for (const NoiseModel& noise : {near_copies(), rough_copies(), other_models()}) {
    const auto found = plan_study({.noise = noise, .generations = 8});
    EXPECT_LE(found->points[3].passes, 0.0501);
    EXPECT_GT(found->points[0].passes, found->points[1].passes);
  }
}

TEST(StudyPlan, RefusesNumbersOutOfRange) {
  for (const StudyRequest& bad : {StudyRequest{.margin = 0}, StudyRequest{.prompts = 5}, StudyRequest{.tokens_per_second = 0},
                                  StudyRequest{.power = 1}, StudyRequest{.generations = 0},
                                  StudyRequest{.noise = {.sigma_prompt = 0, .sigma_generation = 0, .sigma_judge = 0}}}) {
    EXPECT_FALSE(plan_study(bad));
  }
}

}  // namespace
}  // namespace hearth::eval
