#include "hearth/eval/statistics/estimate.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "hearth/base/random.h"
#include "hearth/eval/simulation/scripted.h"
#include "hearth/eval/statistics/bootstrap.h"
#include "hearth/eval/statistics/distributions.h"

namespace hearth::eval {
namespace {

TEST(Distributions, AgreeWithTables) {
  EXPECT_NEAR(normal_quantile(0.95), 1.644854, 1e-6);
  EXPECT_NEAR(normal_quantile(0.975), 1.959964, 1e-6);
  EXPECT_NEAR(normal_cdf(1.96), 0.9750021, 1e-7);
  EXPECT_NEAR(t_quantile(0.95, 49), 1.6766, 1e-4);
  EXPECT_NEAR(t_quantile(0.95, 9), 1.8331, 1e-4);
  EXPECT_NEAR(t_quantile(0.90, 9), 1.3830, 1e-4);
  EXPECT_NEAR(t_quantile(0.975, 4), 2.7764, 1e-4);
  EXPECT_NEAR(t_cdf(2.228139, 10), 0.975, 1e-6);
  EXPECT_NEAR(chi_square_tail(3.841459, 1), 0.05, 1e-7);
  EXPECT_NEAR(chi_square_tail(18.307038, 10), 0.05, 1e-7);
  EXPECT_NEAR(noncentral_t_cdf(1.0, 20, 0), t_cdf(1.0, 20), 1e-12);
  EXPECT_EQ(t_cdf(INFINITY, 3), 1);
}

// Sleep gained under two drugs (Student 1908): the paired t test of every textbook.
TEST(Estimate, IsStudentsPairedTest) {
  const double more_sleep[] = {1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4};
  const auto found = estimate(sample_of(more_sleep));
  ASSERT_TRUE(found);
  EXPECT_NEAR(found->difference, 1.58, 1e-12);
  EXPECT_NEAR(found->t_statistic(0), 4.0621, 1e-4);
  EXPECT_EQ(found->degrees_of_freedom, 9);
  EXPECT_NEAR(found->interval(0.95).low, 0.7001, 1e-4);
  EXPECT_NEAR(found->interval(0.95).high, 2.4599, 1e-4);
  EXPECT_NEAR(2 * found->p_above(0), 0.002833, 1e-6);
}

PromptScores prompt(std::string name, std::string of_class, double candidate, double reference,
                    std::string document = {}) {
  return {std::move(name), std::move(of_class), std::move(document), {candidate}, {reference}};
}

TEST(Estimate, CountsPromptsOfOneDocumentAsOneCluster) {
  const std::vector<PromptScores> prompts = {
      prompt("a", "long", 0.6, 0.5, "d1"), prompt("b", "long", 0.7, 0.6, "d1"),
      prompt("c", "long", 0.5, 0.5, "d2"), prompt("d", "long", 0.5, 0.5, "d2"),
      prompt("e", "long", 0.4, 0.6, "d3"), prompt("f", "long", 0.5, 0.7, "d3")};
  const auto found = estimate(*pair_scores(prompts));
  ASSERT_TRUE(found);
  EXPECT_EQ(found->clusters, 3u);
  EXPECT_EQ(found->degrees_of_freedom, 2);
  // Sums about the mean -1/30: 0.8/3, 0.2/3, -1/3; times 3/2, over 36.
  EXPECT_NEAR(found->difference, -0.2 / 6, 1e-12);
  const double spread = (0.64 + 0.04 + 1.0) / 9;
  EXPECT_NEAR(found->standard_error, std::sqrt(1.5 * spread / 36), 1e-12);
}

TEST(Estimate, WeighsClasses) {
  const std::vector<PromptScores> prompts = {prompt("a", "code", 1, 0.5), prompt("b", "code", 1, 0.7),
                                             prompt("c", "prose", 0.5, 0.5), prompt("d", "prose", 0.5, 0.7)};
  const auto equal = estimate(*pair_scores(prompts));
  EXPECT_NEAR(equal->difference, 0.5 * 0.4 - 0.5 * 0.1, 1e-12);
  EXPECT_NEAR(equal->degrees_of_freedom, 2, 1e-9);
  const auto weighted = estimate(*pair_scores(prompts, {.class_weights = {{"code", 3}, {"prose", 1}}}));
  EXPECT_NEAR(weighted->difference, 0.75 * 0.4 - 0.25 * 0.1, 1e-12);
  EXPECT_LT(weighted->degrees_of_freedom, 2);
}

TEST(Estimate, DoesNotDependOnTheOrderOfPrompts) {
  Random random(3);
  std::vector<PromptScores> prompts;
  for (int i = 0; i < 40; ++i) {
    prompts.push_back(prompt("p" + std::to_string(i), "class" + std::to_string(i % 3), random.uniform(),
                             random.uniform(), i % 4 == 0 ? "doc" + std::to_string(i % 3) : ""));
  }
  const auto before = estimate(*pair_scores(prompts));
  for (std::size_t i = prompts.size(); i > 1; --i) std::swap(prompts[i - 1], prompts[random.below(i)]);
  const auto after = estimate(*pair_scores(prompts));
  EXPECT_EQ(before->difference, after->difference);
  EXPECT_EQ(before->standard_error, after->standard_error);
}

TEST(Estimate, WithoutSpreadIsCertain) {
  const std::vector<double> same(10, 0.1);
  const auto found = estimate(sample_of(same));
  EXPECT_EQ(found->standard_error, 0);
  EXPECT_EQ(found->degrees_of_freedom, 9);
  EXPECT_EQ(found->p_above(0), 0);
  EXPECT_EQ(found->p_above(0.2), 1);
}

TEST(Pairing, RefusesWhatIsNoSample) {
  struct Case {
    std::vector<PromptScores> prompts;
    PairingOptions options;
    std::string says;
  };
  const std::vector<Case> cases = {
      {{}, {}, "no prompt"},
      {{prompt("a", "x", 1, 0), prompt("a", "x", 1, 0)}, {}, "prompt a occurs twice"},
      {{prompt("a", "x", NAN, 0)}, {}, "prompt a: a score of the candidate"},
      {{{"a", "x", "", {1}, {}}}, {}, "prompt a: the reference has no score"},
      {{prompt("a", "x", 1, 0, "d"), prompt("b", "y", 1, 0, "d")}, {}, "document d"},
      {{prompt("a", "x", 1, 0)}, {.class_weights = {{"y", 1}}}, "class x: expected a weight"},
      {{prompt("a", "x", 1, 0)}, {.class_weights = {{"x", 0}}}, "class x: expected a weight"}};
  for (const Case& one : cases) {
    const auto sample = pair_scores(one.prompts, one.options);
    ASSERT_FALSE(sample) << one.says;
    EXPECT_NE(sample.error().message.find(one.says), std::string::npos) << sample.error().message;
  }
  const std::vector<PromptScores> lone = {prompt("a", "x", 1, 0), prompt("b", "y", 1, 0), prompt("c", "y", 1, 0)};
  EXPECT_NE(estimate(*pair_scores(lone)).error().message.find("class x"), std::string::npos);
}

TEST(Pairing, RefusesAnIntervalOfFewPassFailPrompts) {
  std::vector<PromptScores> prompts;
  for (int i = 0; i < 10; ++i) prompts.push_back(prompt(std::to_string(i), "x", i % 2, 1));
  EXPECT_NE(interval_refusal(prompts), "");
  prompts[0].candidate = {0.5};  // partial credit
  EXPECT_EQ(interval_refusal(prompts), "");
}

// Generations of a prompt are averaged, never resampled: the bootstrap's error is the true one.
TEST(Bootstrap, FindsTheTrueStandardError) {
  const NoiseModel noise = near_copies();
  double ratio = 0;
  constexpr int studies = 60;
  for (int study = 0; study < studies; ++study) {
    Random random(static_cast<std::uint64_t>(study));
    std::vector<double> differences;
    for (int i = 0; i < 50; ++i) differences.push_back(std::sqrt(noise.difference_variance(5)) * draw_normal(random));
    const PairedSample sample = sample_of(differences);
    const BootstrapT bootstrap(sample, *estimate(sample), 7, 1'000);
    ratio += bootstrap.standard_error() / noise.standard_error(50, 5) / studies;
  }
  EXPECT_GT(ratio, 0.95);
  EXPECT_LT(ratio, 1.05);
}

TEST(Bootstrap, AgreesWithTOnNormalData) {
  Random random(11);
  std::vector<double> differences;
  for (int i = 0; i < 200; ++i) differences.push_back(0.01 + 0.1 * draw_normal(random));
  const PairedSample sample = sample_of(differences);
  const Estimate found = *estimate(sample);
  const BootstrapT bootstrap(sample, found, 1);
  EXPECT_NEAR(bootstrap.lower_limit(0.95), found.lower_limit(0.95), 0.1 * found.standard_error);
  EXPECT_NEAR(bootstrap.upper_limit(0.95), found.upper_limit(0.95), 0.1 * found.standard_error);
  EXPECT_NEAR(bootstrap.p_above(0), found.p_above(0), 0.01);
}

TEST(Bootstrap, IsRepeatableAndCertainWithoutSpread) {
  const std::vector<double> same(10, 0.1);
  const PairedSample sample = sample_of(same);
  const BootstrapT bootstrap(sample, *estimate(sample), 1, 999);
  EXPECT_DOUBLE_EQ(bootstrap.lower_limit(0.95), 0.1);
  EXPECT_EQ(bootstrap.p_above(0), 1.0 / 1'000);
  EXPECT_EQ(bootstrap.p_above(0.2), 1);
}

}  // namespace
}  // namespace hearth::eval
