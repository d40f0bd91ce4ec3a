#include "hearth/eval/blind/round.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "hearth/eval/blind/control_texts.h"
#include "hearth/eval/study/test_study.h"

namespace hearth::eval {
namespace {

RoundInput input_of(const Suite& suite, std::uint32_t generations) {
  RoundInput out{.items = {}, .arms = {"Q8", "Q4"}, .answers = {}, .secrets = {"secret-model"}};
  for (const Item& item : suite.items) {
    out.items[item.id] = &item;
    for (const std::string arm : {"Q8", "Q4"}) {
      for (std::uint32_t k = 0; k < generations; ++k) {
        out.answers.push_back({.generation = item.id + arm + std::to_string(k),
                               .item = item.id,
                               .arm = arm,
                               .k = k,
                               .text = "I am secret-model. One. Two. Three. " + arm + std::to_string(k)});
      }
    }
  }
  return out;
}

std::size_t count(const std::vector<PlannedTask>& tasks, Role role) {
  return static_cast<std::size_t>(
      std::ranges::count_if(tasks, [&](const PlannedTask& one) { return one.subject.role == role; }));
}

TEST(Round, HasEveryAnswerAndEveryControl) {
  const Suite suite = rubric_suite(6);
  RoundInput input = input_of(suite, 2);
  input.control_texts = 5;
  const std::vector<PlannedTask> tasks = plan_round(input);
  EXPECT_EQ(count(tasks, Role::answer), 24u);
  for (const Role role : {Role::duplicate, Role::damaged, Role::padded, Role::injected})
    EXPECT_EQ(count(tasks, role), 5u);
  EXPECT_EQ(count(tasks, Role::pair), 10u);  // both orders
  EXPECT_EQ(count(tasks, Role::guess), 20u);  // two of each arm
  EXPECT_EQ(std::ranges::count_if(tasks, &PlannedTask::for_second), 24);
  std::set<std::string> subjects;
  for (const PlannedTask& one : tasks) {
    EXPECT_TRUE(subjects.insert(one.subject.text()).second);
    const auto back = parse_subject(one.subject.text());
    ASSERT_TRUE(back);
    EXPECT_EQ(*back, one.subject);
  }
}

TEST(Round, LaterRoundsHaveFewerControlsAndNoPairs) {
  const Suite suite = rubric_suite(6);
  RoundInput input = input_of(suite, 1);
  input.is_first = false;
  input.control_texts = 10;
  const std::vector<PlannedTask> tasks = plan_round(input);
  EXPECT_EQ(count(tasks, Role::damaged), 2u);
  EXPECT_EQ(count(tasks, Role::pair) + count(tasks, Role::guess), 0u);
}

TEST(Round, NoTaskNamesAnArmOrAModel) {
  const Suite suite = rubric_suite(4);
  for (const PlannedTask& one : plan_round(input_of(suite, 2))) {
    EXPECT_FALSE(dump_json(judge_task_json(one.task)).contains("secret-model"));
  }
}

TEST(Round, EmptyAnswersAreNoTasks) {
  const Suite suite = rubric_suite(3);
  RoundInput input = input_of(suite, 1);
  for (FrozenAnswer& one : input.answers) one.text = "<think>only thoughts</think> \n";
  EXPECT_TRUE(plan_round(input).empty());
}

TEST(ControlTexts, HaveTheRelationTheyClaim) {
  const std::string text = "First point. Second point. Third point. Fourth point. Fifth point. Sixth point.";
  const std::string damaged = damaged_text(text, 1);
  EXPECT_LT(damaged.size(), text.size() * 7 / 10);
  EXPECT_FALSE(damaged.empty());
  EXPECT_TRUE(padded_text(text, 1).contains(text));
  EXPECT_NEAR(static_cast<double>(padded_text(std::string(3'000, 'a'), 1).size()), padded_lengths * 3'000, 300);
  EXPECT_TRUE(injected_text(text, 1).starts_with(text));
  EXPECT_GT(injected_text(text, 1).size(), text.size() + 40);
  EXPECT_EQ(damaged_text("just four words here", 1).size() < 20, true);
  EXPECT_EQ(damaged_text(text, 7), damaged_text(text, 7));
}

}  // namespace
}  // namespace hearth::eval
