#include "hearth/eval/suite/long_context.h"

#include <gtest/gtest.h>

#include <set>

#include "hearth/base/digest.h"
#include "hearth/eval/suite/item.h"

namespace hearth::eval {
namespace {

// A question may share no more than this share of its words of meaning with the sentence that answers it.
constexpr double overlap_max = 0.1;

TEST(LongContext, TheSameRequestGivesTheSameBytes) {
  const LongContextRequest request{.seed = 7, .tokens = 16'000};
  const LongContext first = make_long_context(request), second = make_long_context(request);
  EXPECT_EQ(first.document, second.document);
  EXPECT_EQ(first.expected, second.expected);
  // Of this very seed: a change of words or order is a change of every item that was made with it.
  EXPECT_EQ(blake2b(as_byte_span(first.document)).short_hex(), "2ea3821fbb21");
}

TEST(LongContext, HasTheLengthAskedFor) {
  for (const std::uint32_t tokens : {16'000u, 64'000u, 200'000u}) {
    const LongContext made = make_long_context({.seed = 3, .tokens = tokens});
    const double found = static_cast<double>(made.document.size()) / bytes_per_token;
    EXPECT_GE(found, tokens);
    EXPECT_LE(found, tokens * 1.02 + 500);
  }
}

TEST(LongContext, QuestionsShareNoWordsWithTheirSentences) {
  double worst = 0;
  for (const std::string& setting : long_context_settings()) {
    for (std::uint64_t seed = 1; seed <= 50; ++seed) {
      for (const Needle& needle : make_long_context({.setting = setting, .seed = seed, .tokens = 16'000}).needles) {
        const double overlap = lexical_overlap(needle.question, needle.sentence);
        worst = std::max(worst, overlap);
        EXPECT_LE(overlap, overlap_max) << needle.question << " / " << needle.sentence;
      }
    }
  }
  RecordProperty("worst_overlap", std::to_string(worst));
}

TEST(LongContext, OverlapIsMeasured) {
  EXPECT_DOUBLE_EQ(lexical_overlap("Who repaired the telescope?", "Ines repairs a telescope."), 1);
  EXPECT_DOUBLE_EQ(lexical_overlap("Which member is a potter?", "Ines came from the kiln."), 0);
  EXPECT_DOUBLE_EQ(lexical_overlap("Ines?", "Ines."), 0);
}

TEST(LongContext, FactsAreScattered) {
  const LongContext made = make_long_context({.seed = 11, .tokens = 64'000, .hops = 5});
  std::set<int> tenths;
  for (const Needle& needle : made.needles) {
    tenths.insert(static_cast<int>(needle.depth * 10));
    EXPECT_NE(made.document.find(needle.sentence), std::string::npos);
  }
  EXPECT_GE(tenths.size(), 5u);
  EXPECT_GE(made.needles.size(), 12u);
}

TEST(LongContext, AnswersAreUniqueNamesOrNumbersAndWrongOnesDiffer) {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    const LongContext made = make_long_context({.seed = seed, .tokens = 16'000, .hops = 6});
    ASSERT_EQ(made.expected.as_object().size(), 9u);
    ASSERT_GE(made.wrong.size(), 2u);
    for (const Json& wrong : made.wrong) EXPECT_NE(wrong, made.expected);
    for (const auto& [key, value] : made.expected.as_object()) EXPECT_NE(made.questions.find(key + ":"), std::string::npos);
  }
}

}  // namespace
}  // namespace hearth::eval
