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

TEST(Parity, RefusesWhatCannotBeCompared) {
  EXPECT_FALSE(compare_logits({}, {}));
  EXPECT_FALSE(compare_logits(std::vector<float>{1}, std::vector<float>{1, 2}));
  EXPECT_FALSE(compare_logits(std::vector<float>{NAN}, std::vector<float>{1}));
}

}  // namespace
}  // namespace hearth::cluster
