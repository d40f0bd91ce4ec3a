#include "hearth/eval/grading/final_answer.h"

#include <gtest/gtest.h>

namespace hearth::eval {
namespace {

TEST(PlainNumber, IsReadAsPeopleWriteIt) {
  const std::pair<const char*, double> rows[] = {
      {"42", 42},           {"-3", -3},          {"−3", -3},          {"1,234.5", 1234.5},  {"1 234 567", 1234567},   {"1'234", 1234},
      {"12,5", 12.5},       {"3/4", 0.75},       {"\\frac{3}{4}", 0.75}, {"$\\frac{1}{2}$", 0.5}, {"2 1/2", 2.5},      {"2½", 2.5},
      {"1.2e3", 1200},      {"1.2 × 10^3", 1200}, {"1.2 \\times 10^{3}", 1200}, {"2√9", 6}, {"2\\sqrt{9}", 6},  {"2*sqrt(9)", 6},
      {"x = 5", 5},         {"v ≈ 3.25", 3.25},   {"\\boxed{17}", 17}, {"2pi", 6.283185307179586}, {"**8**", 8},  {"100,000", 100000},
  };
  for (const auto& [text, value] : rows) {
    const auto found = plain_number(text);
    ASSERT_TRUE(found) << text;
    EXPECT_DOUBLE_EQ(*found, value) << text;
  }
  for (const char* text : {"", "seven", "about", "3 km", "1.2.3 x"}) EXPECT_FALSE(plain_number(text)) << text;
}

TEST(Units, ConvertWithinTheirKind) {
  EXPECT_DOUBLE_EQ(*unit_ratio("min", "h"), 1.0 / 60);
  EXPECT_DOUBLE_EQ(*unit_ratio("Kilowatt", "Kilowatt"), 1);
  EXPECT_FALSE(unit_ratio("km", "h"));
  EXPECT_FALSE(unit_ratio("furlong", "m"));
}

struct Row {
  const char* answer;
  FinalAnswerSpec spec;
  bool is_right;
};

TEST(FinalAnswer, RightAndWrong) {
  const FinalAnswerSpec plain{.value = "12"}, hours{.value = "1.5", .unit = "h"}, strict{.value = "40", .unit = "km/h", .unit_required = true},
      crates{.value = "12", .unit = "crates"}, money{.value = "40", .unit = "$"}, root{.value = "2*sqrt(3)", .tolerance = 1e-3};
  const Row rows[] = {
      {"Answer: 12", plain, true},          {"Answer: 12 apples", plain, true},  {"Answer: 13", plain, false},        {"Answer: 12 %", plain, false},
      {"Answer: 12 thousand", plain, false}, {"It is 12.", plain, false},        {"Answer: twelve", plain, false},    {"Answer: 90 min", hours, true},
      {"Answer: 1.5", hours, true},         {"Answer: 1.5 h", hours, true},      {"Answer: 1.5 min", hours, false},   {"Answer: 1.5 km", hours, false},
      {"Answer: 40 km/h", strict, true},    {"Answer: 40", strict, false},       {"Answer: 12 crates", crates, true}, {"Answer: $40", money, true},
      {"Answer: $40.00", money, true},      {"Answer: 3.464", root, true},       {"Answer: 2√3", root, true},         {"Answer: 3.4", root, false},
      {"", plain, false},
  };
  for (const Row& row : rows) {
    const Grade grade = grade_final_answer(row.spec, row.answer);
    EXPECT_EQ(grade.score == 1, row.is_right) << row.answer << " for " << row.spec.value << ": " << grade.reason;
    EXPECT_EQ(grade.reason.empty(), row.is_right) << row.answer;
  }
}

}  // namespace
}  // namespace hearth::eval
