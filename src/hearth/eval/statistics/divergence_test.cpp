#include "hearth/eval/statistics/divergence.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "hearth/eval/simulation/scripted.h"

namespace hearth::eval {
namespace {

std::vector<float> row(std::size_t tokens, double spread, std::uint64_t seed) {
  Random random(seed);
  std::vector<float> out;
  for (std::size_t i = 0; i < tokens; ++i) out.push_back(static_cast<float>(spread * draw_normal(random)));
  return out;
}

std::vector<float> shaken(const std::vector<float>& logits, double by, std::uint64_t seed) {
  Random random(seed);
  std::vector<float> out;
  for (const float logit : logits) out.push_back(logit + static_cast<float>(by * draw_normal(random)));
  return out;
}

double full_kl(const std::vector<float>& p, const std::vector<float>& q) {
  const auto log_total = [](const std::vector<float>& logits) {
    double sum = 0;
    for (const float logit : logits) sum += std::exp(static_cast<double>(logit));
    return std::log(sum);
  };
  const double p_total = log_total(p), q_total = log_total(q);
  double sum = 0;
  for (std::size_t i = 0; i < p.size(); ++i) {
    sum += std::exp(p[i] - p_total) * ((p[i] - p_total) - (q[i] - q_total));
  }
  return sum;
}

TEST(Divergence, OfARunWithItselfIsNothing) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    for (const double spread : {0.1, 1.0, 4.0, 12.0}) {
      const auto logits = row(5'000, spread, seed);
      const auto found = diverge(*keep_top(logits, 7), logits, 7);
      ASSERT_TRUE(found);
      EXPECT_GE(found->kl, 0);
      EXPECT_LT(found->kl, 1e-6);
      EXPECT_TRUE(found->same_top);
      EXPECT_NEAR(found->target_change, 0, 1e-6);
    }
  }
}

TEST(Divergence, IsALowerBoundAndCloseWhereTheTailIsSmall) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    for (const double spread : {1.0, 3.0, 6.0}) {
      const auto p = row(4'000, spread, seed), q = shaken(p, 0.3, seed + 1'000);
      const auto found = diverge(*keep_top(p, 0), q, 0);
      const double full = full_kl(p, q);
      EXPECT_LE(found->kl, full + 1e-6);
      if (found->tail < 0.001) {
        EXPECT_NEAR(found->kl, full, 0.01 * full + 1e-5);
      }
    }
  }
}

TEST(Divergence, OfASmallVocabularyIsExact) {
  // P = (1/2, 1/4, 1/4), Q = (1/4, 1/4, 1/2): 1/4 ln 2.
  const std::vector<float> p = {std::log(2.0f), 0, 0}, q = {0, 0, std::log(2.0f)};
  const auto found = diverge(*keep_top(p, 2), q, 2);
  EXPECT_NEAR(found->kl, 0.25 * std::log(2.0), 1e-6);
  EXPECT_FALSE(found->same_top);
  EXPECT_NEAR(found->target_change, 0.25, 1e-6);
  EXPECT_NEAR(found->log_likelihood_loss, -std::log(2.0), 1e-6);
}

TEST(Divergence, RefusesWhatIsNoPosition) {
  const auto logits = row(10, 1, 1);
  EXPECT_FALSE(keep_top(logits, 10));
  EXPECT_FALSE(keep_top(std::vector<float>{1}, 0));
  EXPECT_FALSE(keep_top(std::vector<float>{1, NAN}, 0));
  EXPECT_FALSE(keep_top(std::vector<float>{-INFINITY, -INFINITY}, 0));
  EXPECT_FALSE(diverge(*keep_top(row(500, 1, 1), 0), logits, 0));  // a larger vocabulary
  EXPECT_TRUE(keep_top(std::vector<float>{1, -INFINITY}, 0));
}

TEST(Divergence, StaysFiniteWhereTheCandidateSeesNoChance) {
  const std::vector<float> p = {0, 0}, q = {0, -INFINITY};
  const auto found = diverge(*keep_top(p, 1), q, 1);
  EXPECT_TRUE(std::isfinite(found->kl));
  EXPECT_GT(found->kl, 10);
  EXPECT_TRUE(std::isfinite(found->log_likelihood_loss));
}

TEST(Divergence, SummaryCountsTranscriptsAsClusters) {
  std::vector<std::vector<PositionDivergence>> transcripts(2);
  for (int i = 0; i < 100; ++i) {
    transcripts[0].push_back({.kl = 0.01, .same_top = true});
    transcripts[1].push_back({.kl = 0.03, .same_top = i < 50});
  }
  const auto found = summarise(transcripts);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->positions, 200u);
  EXPECT_NEAR(found->mean, 0.02, 1e-12);
  EXPECT_NEAR(found->mean_standard_error, 0.01, 1e-12);  // two texts: 0.0141 / sqrt(2)
  EXPECT_NEAR(found->median, 0.02, 1e-12);
  EXPECT_NEAR(found->p99, 0.03, 1e-12);
  EXPECT_NEAR(found->same_top, 0.75, 1e-12);
  EXPECT_FALSE(summarise({}));
}

TEST(Percentile, IsLinearBetweenNeighbours) {
  const std::vector<double> sorted = {1, 2, 3, 4};
  EXPECT_DOUBLE_EQ(percentile(sorted, 0), 1);
  EXPECT_DOUBLE_EQ(percentile(sorted, 0.5), 2.5);
  EXPECT_DOUBLE_EQ(percentile(sorted, 1), 4);
}

}  // namespace
}  // namespace hearth::eval
