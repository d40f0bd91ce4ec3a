#include "hearth/cluster/parity.h"

#include <gtest/gtest.h>

#include <cmath>

namespace hearth::cluster {
namespace {

TEST(Parity, EqualLogitsAreExact) {
  const std::vector<float> logits = {1.5f, -2, 0.25f};
  const auto parity = compare_logits(logits, logits).value();
  EXPECT_TRUE(parity.is_exact);
  EXPECT_TRUE(parity.top_equal);
  EXPECT_EQ(parity.kl, 0);
  EXPECT_EQ(parity_fault(parity, {.needs_exact = true}), "");
}

TEST(Parity, DivergenceIsThatOfTheDistributions) {
  // p = (3/4, 1/4), q = (1/2, 1/2): KL = 3/4 ln(3/2) + 1/4 ln(1/2).
  const std::vector<float> ours = {std::log(3.0f), 0};
  const std::vector<float> theirs = {7, 7};
  const auto parity = compare_logits(ours, theirs).value();
  EXPECT_NEAR(parity.kl, 0.75 * std::log(1.5) + 0.25 * std::log(0.5), 1e-6);
  EXPECT_NE(parity_fault(parity, {}), "");
}

TEST(Parity, ASmallDifferenceIsAllowedBetweenUnlikeBackendsOnly) {
  const std::vector<float> ours = {2, 1, 0};
  const std::vector<float> theirs = {2.0005f, 1, 0};
  const auto parity = compare_logits(ours, theirs).value();
  EXPECT_EQ(parity_fault(parity, {}), "");
  EXPECT_NE(parity_fault(parity, {.needs_exact = true}), "");
}

TEST(Parity, AnotherMostLikelyTokenIsAFault) {
  const auto parity = compare_logits(std::vector<float>{1.00f, 1.01f}, std::vector<float>{1.01f, 1.00f});
  EXPECT_EQ(parity_fault(*parity, {}), "the most likely token is another one");
}

TEST(Parity, EqualFirstLogitsAndAContinuationThatDivergesAreAFault) {
  using Tokens = std::vector<Token>;
  const Tokens ours = {1, 2, 3, 4, 5, 6};
  const struct {
    Tokens theirs;
    ParityLimits limits;
    std::string fault;
  } cases[] = {
      {ours, {}, ""},
      {ours, {.needs_exact = true}, ""},
      {{1, 2, 3, 4, 9, 6}, {}, ""},
      {{1, 2, 3, 4, 9, 6}, {.needs_exact = true},
       "the first 4 of 6 tokens of the continuation are equal; at least 6 are expected"},
      {{1, 2, 9, 4, 5, 6}, {}, "the first 2 of 6 tokens of the continuation are equal; at least 4 are expected"},
      {{1, 2, 9, 4, 5, 6}, {.tokens_equal_min = 2}, ""},
      {{9, 2, 3, 4, 5, 6}, {.tokens_equal_min = 1},
       "the first 0 of 6 tokens of the continuation are equal; at least 1 are expected"},
      {{9, 9, 9, 9, 9, 9}, {.needs_equal_top = false, .tokens_equal_min = 0}, ""},
      {{1, 2}, {}, ""},  // no more was computed
      {{1, 9}, {}, "the first 1 of 2 tokens of the continuation are equal; at least 2 are expected"},
  };
  const std::vector<float> logits = {1.5f, -2, 0.25f};
  for (const auto& c : cases) {
    auto parity = compare_logits(logits, logits).value();
    compare_tokens(ours, c.theirs, parity);
    EXPECT_EQ(parity_fault(parity, c.limits), c.fault);
  }
}

TEST(Parity, RefusesWhatCannotBeCompared) {
  EXPECT_FALSE(compare_logits({}, {}));
  EXPECT_FALSE(compare_logits(std::vector<float>{1}, std::vector<float>{1, 2}));
  EXPECT_FALSE(compare_logits(std::vector<float>{NAN}, std::vector<float>{1}));
}

}  // namespace
}  // namespace hearth::cluster
