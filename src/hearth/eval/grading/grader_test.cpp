#include "hearth/eval/grading/grader.h"

#include <gtest/gtest.h>

namespace hearth::eval {
namespace {

TEST(Grader, ExactAnswersApartFromCaseAndSpaces) {
  const GraderSpec spec = ExactSpec{.accepted = {"North gate", "the north gate"}};
  const auto score = [&](const char* answer) { return grade_answer(spec, answer, nullptr, {})->score; };
  EXPECT_EQ(score("because…\nAnswer: north  gate."), 1);
  EXPECT_EQ(score("Answer: **The North Gate**"), 1);
  EXPECT_EQ(score("Answer: south gate"), 0);
  EXPECT_EQ(score("north gate"), 0);
  EXPECT_EQ(score(""), 0);
}

TEST(Grader, ProseWhereJsonIsAskedForIsScored) {
  const GraderSpec spec = StructuredSpec{.expected = *parse_json(R"({"a": 1})")};
  const auto grade = grade_answer(spec, "It is one.", nullptr, {});
  ASSERT_TRUE(grade);
  EXPECT_EQ(grade->score, 0);
  EXPECT_EQ(grade->reason, "no JSON");
}

TEST(Grader, OnlyRubricsNeedAJudge) {
  EXPECT_TRUE(needs_judge(RubricSpec{}));
  EXPECT_FALSE(needs_judge(CodeSpec{}));
  EXPECT_EQ(grade_answer(RubricSpec{}, "x", nullptr, {}).error().code, Code::unsupported);
  EXPECT_EQ(grade_answer(CodeSpec{}, "x", nullptr, {}).error().code, Code::unavailable);
}

TEST(Rubric, AddsWeightsAndFaultsSubtract) {
  const RubricSpec rubric{{{"a", "", 3}, {"b", "", 1}, {"fault", "", -2}}};
  const auto score = [&](bool a, bool b, bool fault) {
    const CriterionVerdict verdicts[] = {{"fault", fault, ""}, {"a", a, ""}, {"b", b, ""}};
    return grade_rubric(rubric, verdicts)->score;
  };
  EXPECT_DOUBLE_EQ(score(true, true, false), 1);
  EXPECT_DOUBLE_EQ(score(true, false, false), 0.75);
  EXPECT_DOUBLE_EQ(score(true, true, true), 0.5);
  EXPECT_DOUBLE_EQ(score(false, true, true), 0);
}

TEST(Rubric, WantsOneVerdictOnEachCriterion) {
  const RubricSpec rubric{{{"a", "", 1}}};
  EXPECT_FALSE(grade_rubric(rubric, {}));
  const CriterionVerdict twice[] = {{"a", true, ""}, {"a", false, ""}}, other[] = {{"a", true, ""}, {"b", true, ""}};
  EXPECT_FALSE(grade_rubric(rubric, twice));
  EXPECT_FALSE(grade_rubric(rubric, other));
}

}  // namespace
}  // namespace hearth::eval
