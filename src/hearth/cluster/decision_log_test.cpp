#include "hearth/cluster/decision_log.h"

#include <gtest/gtest.h>

namespace hearth::cluster {
namespace {

Choice sample_choice(double local_s, double remote_s, std::size_t chosen) {
  Choice out;
  out.options = {
      {.kind = OptionKind::local, .decode = "studio", .predicted_s = local_s},
      {.kind = OptionKind::remote,
       .decode = "studio",
       .prefill = "spark-1",
       .predicted_s = remote_s},
      {.kind = OptionKind::remote, .decode = "studio", .prefill = "spark-2", .excluded = "busy"}};
  out.chosen = chosen;
  out.sentence = "because";
  return out;
}

TEST(DecisionLog, RegretIsWhatTheBestAlternativeWouldHaveSaved) {
  struct Case {
    double local_s, remote_s, actual_s;
    std::size_t chosen;
    double best_s, regret_s;
  };
  for (const Case& c : {Case{60, 20, 21, 1, 21, 0},
                        {60, 20, 70, 1, 60, 10},
                        {10, 20, 9, 0, 9, 0},
                        {10, 8, 10, 0, 8, 2}}) {
    DecisionLog log(1);
    const auto id = log.add("r", sample_choice(c.local_s, c.remote_s, c.chosen));
    EXPECT_FALSE(log.decisions().back().regret_s());
    log.on_finished(id, c.actual_s, true, "as chosen");
    EXPECT_DOUBLE_EQ(*log.decisions().back().best_s(), c.best_s);
    EXPECT_DOUBLE_EQ(*log.decisions().back().regret_s(), c.regret_s);
    EXPECT_DOUBLE_EQ(log.summary().regret_s, c.regret_s);
  }
}

TEST(DecisionLog, AShadowCheckReplacesAPredictionByAMeasurement) {
  DecisionLog log(1);
  const auto id = log.add("r", sample_choice(60, 20, 1));
  log.on_finished(id, 20, true, "as chosen");
  log.on_shadow(id, 0, 12);
  EXPECT_DOUBLE_EQ(*log.decisions().back().regret_s(), 8);
  EXPECT_DOUBLE_EQ(log.summary().regret_s, 8);
}

TEST(DecisionLog, ShadowChecksAreFewOnlyWhenIdleAndWithinTheirShareOfSeconds) {
  const ShadowPolicy policy{.request_share_max = 0.05, .seconds_share_max = 0.05};
  DecisionLog log(42, policy);
  double served_s = 0, shadow_s = 0;
  int checks = 0;
  for (int i = 0; i < 2'000; ++i) {
    const auto id = log.add("r", sample_choice(12, 10, 1));
    EXPECT_FALSE(log.shadow_check(id, true));  // not over yet
    log.on_finished(id, 10, true, "as chosen");
    served_s += 10;
    EXPECT_FALSE(log.shadow_check(id, false));
    if (const auto option = log.shadow_check(id, true)) {
      EXPECT_EQ(*option, 0u);
      log.on_shadow(id, *option, 12);
      shadow_s += 12;
      ++checks;
    }
  }
  EXPECT_GT(checks, 20);
  EXPECT_LE(checks, 2'000 * policy.request_share_max);
  EXPECT_LE(shadow_s, served_s * policy.seconds_share_max);
}

TEST(DecisionLog, ARoadThatIsMuchLongerIsNotWalkedForScience) {
  DecisionLog log(1, {.request_share_max = 1, .seconds_share_max = 1});
  for (int i = 0; i < 100; ++i) {
    const auto id = log.add("r", sample_choice(100, 10, 1));
    log.on_finished(id, 10, true, "as chosen");
    EXPECT_FALSE(log.shadow_check(id, true));
  }
}

TEST(DecisionLog, PredictionsThatAreOffWidenTheMargin) {
  DecisionLog log(1);
  for (int i = 0; i < 20; ++i)
    log.on_finished(log.add("r", sample_choice(60, 20, 1)), 20, true, "");
  const double exact = log.error_share();
  for (int i = 0; i < 20; ++i)
    log.on_finished(log.add("r", sample_choice(60, 20, 1)), 30, true, "");
  EXPECT_LT(exact, 0.01);
  EXPECT_GT(log.error_share(), 0.3);
  EXPECT_LT(choice_margin_s(60, exact), choice_margin_s(60, log.error_share()));
  // A way that was left says nothing about its prediction.
  const double before = log.error_share();
  log.on_finished(log.add("r", sample_choice(60, 20, 1)), 200, false, "finished locally");
  EXPECT_EQ(log.error_share(), before);
}

TEST(DecisionLog, WritesOneObjectARequestAndForgetsTheOldest) {
  DecisionLog log(1);
  for (std::size_t i = 0; i < decisions_max + 5; ++i) {
    log.on_finished(log.add("r" + std::to_string(i), sample_choice(60, 20, 1)), 22, true,
                    "as chosen");
  }
  const Json json = log.to_json();
  ASSERT_EQ(json.find("decisions")->as_array().size(), decisions_max);
  const Json& one = json.find("decisions")->as_array().back();
  EXPECT_EQ(one.find("request")->as_string(), "r" + std::to_string(decisions_max + 4));
  EXPECT_EQ(one.find("chosen")->as_string(), "remote on spark-1 for studio");
  EXPECT_EQ(one.find("actual_s")->as_double(), 22);
  EXPECT_EQ(one.find("best_s")->as_double(), 22);
  EXPECT_EQ(one.find("regret_s")->as_double(), 0);
  const auto& options = one.find("options")->as_array();
  EXPECT_EQ(options[0].find("name")->as_string(), "local on studio");
  EXPECT_EQ(options[0].find("predicted_s")->as_double(), 60);
  EXPECT_TRUE(options[2].find("predicted_s")->is_null());
  EXPECT_EQ(options[2].find("excluded")->as_string(), "busy");
  EXPECT_EQ(json.find("summary")->find("within_10_percent")->as_integer(),
            static_cast<std::int64_t>(decisions_max + 5));
}

}  // namespace
}  // namespace hearth::cluster
