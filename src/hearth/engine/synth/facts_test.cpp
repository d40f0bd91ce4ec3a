#include "hearth/engine/synth/facts.h"

#include <gtest/gtest.h>

#include <set>

namespace hearth::engine {
namespace {

std::size_t occurrences(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

TEST(Facts, TextHasTheAskedLengthAndIsAscii) {
  for (const std::size_t bytes : {1000U, 5003U, 32'000U}) {
    const auto planted = plant_facts(7, 5, bytes);
    ASSERT_TRUE(planted) << planted.error().message;
    EXPECT_EQ(planted->text.size(), bytes);
    EXPECT_EQ(planted->facts.size(), 5U);
    for (const char c : planted->text) EXPECT_TRUE(c == '\n' || (c >= ' ' && c <= '~'));
  }
}

TEST(Facts, EveryQuestionStandsOnceAndItsAnswerNowhereElse) {
  const auto planted = plant_facts(1, 48, 8000);
  ASSERT_TRUE(planted) << planted.error().message;
  for (const Fact& fact : planted->facts) {
    EXPECT_EQ(occurrences(planted->text, fact.question), 1U) << fact.question;
    EXPECT_EQ(occurrences(planted->text, fact.answer), 1U) << fact.answer;
    EXPECT_EQ(planted->text.find(fact.question + fact.answer + "."), fact.position_bytes);
    EXPECT_LT(fact.position_bytes + 100, planted->text.size());
  }
}

TEST(Facts, AreSpreadOverTheText) {
  const auto planted = plant_facts(3, 10, 10'000);
  ASSERT_TRUE(planted) << planted.error().message;
  for (std::size_t i = 0; i < planted->facts.size(); ++i) {
    EXPECT_NEAR(static_cast<double>(planted->facts[i].position_bytes),
                980.0 * static_cast<double>(i + 1), 160.0);
  }
}

TEST(Facts, SameSeedSameTextOtherSeedOtherText) {
  const auto first = plant_facts(1, 4, 2000);
  const auto again = plant_facts(1, 4, 2000);
  const auto other = plant_facts(2, 4, 2000);
  ASSERT_TRUE(first && again && other);
  EXPECT_EQ(first->text, again->text);
  EXPECT_NE(first->text, other->text);
}

TEST(Facts, TooShortATextIsRefusedWithTheNeededLength) {
  const auto planted = plant_facts(1, 48, 4000);
  ASSERT_FALSE(planted);
  EXPECT_EQ(planted.error().code, Code::invalid_argument);
  EXPECT_NE(planted.error().message.find("5000"), std::string::npos) << planted.error().message;
}

TEST(Facts, NoFactsIsPlainProse) {
  const auto planted = plant_facts(1, 0, 500);
  ASSERT_TRUE(planted) << planted.error().message;
  EXPECT_EQ(planted->text.find("code"), std::string::npos);
}

}  // namespace
}  // namespace hearth::engine
