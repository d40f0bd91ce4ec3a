#include "hearth/eval/grading/structured.h"

#include <gtest/gtest.h>

namespace hearth::eval {
namespace {

double score(const char* expected, const char* given, StructuredSpec spec = {}) {
  spec.expected = *parse_json(expected);
  return grade_structured(spec, *parse_json(given)).score;
}

TEST(Structured, GivesTheShareOfLeavesThatAreRight) {
  EXPECT_DOUBLE_EQ(score(R"({"a": 1, "b": "Two"})", R"({"b": "two", "a": 1.0})"), 1);
  EXPECT_DOUBLE_EQ(score(R"({"a": 1, "b": 2})", R"({"a": 1, "b": 3})"), 0.5);
  EXPECT_DOUBLE_EQ(score(R"({"a": 1, "b": 2})", R"({"a": 1})"), 0.5);
  EXPECT_DOUBLE_EQ(score(R"({"a": 1})", R"({"a": 1, "b": 2})"), 0.5);
  EXPECT_DOUBLE_EQ(score(R"({"a": 1})", "[]"), 0);
  EXPECT_DOUBLE_EQ(score(R"({"a": "1,250"})", R"({"a": "1,250"})"), 1);
  EXPECT_DOUBLE_EQ(score(R"({"a": 1250})", R"({"a": "1,250"})"), 1);
  EXPECT_DOUBLE_EQ(score(R"({"a": true})", R"({"a": "true"})"), 0);
}

TEST(Structured, ListsAreSetsUnlessTheirOrderCounts) {
  EXPECT_DOUBLE_EQ(score("[1, 2, 3]", "[3, 1, 2]"), 1);
  EXPECT_DOUBLE_EQ(score("[1, 2, 3]", "[3, 1]"), 2.0 / 3);
  EXPECT_DOUBLE_EQ(score("[1, 2]", "[1, 2, 3, 4]"), 0.5);
  EXPECT_DOUBLE_EQ(score("[]", "[]"), 1);
  EXPECT_DOUBLE_EQ(score(R"({"s": [1, 2]})", R"({"s": [2, 1]})", {.expected = {}, .ordered = {"s"}}), 0);
  EXPECT_DOUBLE_EQ(score(R"({"d": [{"h": [1, 2]}]})", R"({"d": [{"h": [2, 1]}]})", {.expected = {}, .ordered = {"d.*.h"}}), 0);
  EXPECT_DOUBLE_EQ(score(R"([{"n": "a", "v": 1}, {"n": "b", "v": 2}])", R"([{"n": "b", "v": 2}, {"n": "a", "v": 9}])"), 0.75);
}

TEST(Structured, NumbersHaveATolerance) {
  EXPECT_DOUBLE_EQ(score("[100]", "[101]", {.expected = {}, .tolerance = 0.02}), 1);
  EXPECT_DOUBLE_EQ(score("[100]", "[103]", {.expected = {}, .tolerance = 0.02}), 0);
  EXPECT_DOUBLE_EQ(score("[0]", "[0.001]"), 0);
}

TEST(Structured, NamesWhatIsWrong) {
  StructuredSpec spec{.expected = *parse_json(R"({"a": 1, "b": [1, 2]})")};
  const Grade grade = grade_structured(spec, *parse_json(R"({"b": [1], "c": 0})"));
  ASSERT_EQ(grade.parts.size(), 3u);
  EXPECT_EQ(grade.parts[0].reason, "missing");
  EXPECT_EQ(grade.parts[1].score, 0.5);
  EXPECT_EQ(grade.parts[2].reason, "not asked for");
}

TEST(SameValue, IsStrictButForRoundedNumbers) {
  const auto same = [](const char* a, const char* b) { return is_same_value(*parse_json(a), *parse_json(b), 1e-9); };
  EXPECT_TRUE(same("[0.3]", "[0.30000000000000004]"));
  EXPECT_TRUE(same(R"({"a": 1, "b": 2})", R"({"b": 2, "a": 1})"));
  EXPECT_FALSE(same("[1, 2]", "[2, 1]"));
  EXPECT_FALSE(same(R"("A")", R"("a")"));
  EXPECT_FALSE(same("1", "true"));
  EXPECT_FALSE(same("{}", R"({"a": null})"));
}

}  // namespace
}  // namespace hearth::eval
