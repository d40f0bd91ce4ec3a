#include "hearth/cluster/rate_book.h"

#include <gtest/gtest.h>

#include <cmath>

#include "hearth/base/random.h"

namespace hearth::cluster {
namespace {

using std::chrono::hours;

const MachineModel spark{"spark-1", "kimi"};

Instant at_s(double s) {
  return Instant(hours(1)) + std::chrono::duration_cast<Duration>(std::chrono::duration<double>(s));
}

TEST(FadingMean, FollowsALastingChangeAndNotOneWildValue) {
  FadingMean rate;
  for (int i = 0; i < 20; ++i) rate.observe(1.0 + 0.01 * (i % 3), at_s(i));
  rate.observe(500.0, at_s(21));
  EXPECT_LT(rate.mean(), 1.2);
  for (int i = 0; i < 40; ++i) rate.observe(3.0, at_s(30 + i));
  EXPECT_NEAR(rate.mean(), 3.0, 0.15);
}

TEST(FadingMean, IsUnknownBeforeTheFirstAndLongAfterTheLastObservation) {
  FadingMean rate;
  EXPECT_FALSE(rate.at(at_s(0)));
  rate.observe(2.0, at_s(0));
  EXPECT_TRUE(rate.at(at_s(10)));
  EXPECT_FALSE(rate.at(at_s(10) + rate_age_max));
}

TEST(FadingMean, IgnoresWhatIsNoMeasurement) {
  FadingMean rate;
  for (const double value : {0.0, -1.0, 1e300, std::nan(""), HUGE_VAL})
    rate.observe(value, at_s(0));
  EXPECT_EQ(rate.count(), 0u);
}

// 7.7 s for 2,048 tokens and 0.333 ms more for each token of depth: a published machine.
double published_s(std::uint32_t new_tokens, std::uint32_t depth) {
  return new_tokens / 2'048.0 * (7.7 + 0.333e-3 * (depth + new_tokens / 2.0));
}

TEST(PrefillCurve, GrowsWithDepthAsTheMachineDoes) {
  PrefillRates rates;
  Random random(7);
  for (std::uint32_t depth = 0; depth < 32'000; depth += 2'048) {
    rates.observe(2'048, depth, published_s(2'048, depth) * (0.98 + 0.04 * random.uniform()),
                  at_s(depth));
  }
  const auto curve = rates.curve(at_s(40'000));
  ASSERT_TRUE(curve);
  for (const auto& [fresh, depth] :
       {std::pair{512u, 0u}, {10'000u, 58'000u}, {64'000u, 0u}, {1u, 30'000u}}) {
    const auto predicted = curve->seconds(fresh, depth);
    ASSERT_TRUE(predicted) << fresh << " at " << depth;
    EXPECT_NEAR(predicted->value, published_s(fresh, depth), 0.06 * published_s(fresh, depth))
        << fresh << " at " << depth;
  }
}

TEST(PrefillCurve, DoesNotForgetDepthOverManyShortPrompts) {
  PrefillRates rates;
  rates.observe(2'048, 30'000, published_s(2'048, 30'000), at_s(0));
  for (int i = 0; i < 1'000; ++i) rates.observe(600, 0, published_s(600, 0), at_s(i));
  const auto predicted = rates.curve(at_s(1'000))->seconds(2'048, 30'000);
  ASSERT_TRUE(predicted);
  EXPECT_NEAR(predicted->value, published_s(2'048, 30'000), 0.1 * published_s(2'048, 30'000));
}

TEST(PrefillCurve, IsNotDrawnFarBeyondWhatWasSeen) {
  PrefillRates rates;
  rates.observe(1'000, 0, 5.0, at_s(0));
  EXPECT_TRUE(rates.curve(at_s(1))->seconds(4'000, 2'000));
  EXPECT_FALSE(rates.curve(at_s(1))->seconds(100'000, 0));
}

TEST(PrefillCurve, NeverPredictsThatDepthOrTokensPay) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    Random random(seed);
    PrefillRates rates;
    for (int i = 0; i < 12; ++i) {
      rates.observe(static_cast<std::uint32_t>(1 + random.below(4'000)),
                    static_cast<std::uint32_t>(random.below(60'000)), 0.01 + 20 * random.uniform(),
                    at_s(i));
    }
    const auto curve = rates.curve(at_s(20));
    EXPECT_LE(curve->seconds(100, 100)->value, curve->seconds(200, 100)->value);
    EXPECT_LE(curve->seconds(100, 100)->value, curve->seconds(100, 5'000)->value);
    EXPECT_GE(curve->seconds(100, 0)->value, 0);
  }
}

TEST(RateBook, KnowsHowMuchSlowerAMachineIsBesideAnswersWithoutForgettingWhatItIsAlone) {
  RateBook book;
  const auto predicted_s = [&](Beside beside) {
    return book.prefill(spark, at_s(100), beside)->seconds(1'000, 0)->value;
  };
  book.observe_prefill(spark, 1'000, 0, 2.0, at_s(0));
  EXPECT_NEAR(predicted_s(Beside::answers), 2.0, 1e-9);  // nothing better is known
  for (int i = 1; i < 40; ++i) book.observe_prefill(spark, 1'000, 0, 3.0, at_s(i), Beside::answers);
  EXPECT_NEAR(predicted_s(Beside::answers), 3.0, 0.01);
  EXPECT_NEAR(predicted_s(Beside::nothing), 2.0, 1e-9);
  book.observe_prefill(spark, 3, 0, 5.0, at_s(41), Beside::answers);  // it waited for a batch
  EXPECT_NEAR(predicted_s(Beside::answers), 3.0, 0.01);
}

TEST(RateBook, WhatWasOnlySeenBesideAnswersTeachesTheCurveToo) {
  RateBook book;
  book.observe_prefill(spark, 1'000, 0, 3.0, at_s(0), Beside::answers);
  ASSERT_TRUE(book.prefill(spark, at_s(1)));
  EXPECT_NEAR(book.prefill(spark, at_s(1))->seconds(1'000, 0)->value, 3.0, 1e-9);
  book.observe_prefill(spark, 1'000, 0, 4.5, at_s(1), Beside::answers);
  book.observe_prefill(spark, 1'000, 60'000, 6.0, at_s(2), Beside::answers);  // deeper than anything yet
  EXPECT_NEAR(book.prefill(spark, at_s(3))->seconds(1'000, 60'000)->value, 4.0, 0.1);
  book.observe_prefill(spark, 5, 300'000, 2.0, at_s(4), Beside::answers);  // the wait for a batch
  EXPECT_FALSE(book.prefill(spark, at_s(5))->seconds(1'000, 200'000));
}

RateBook sample_book() {
  RateBook book;
  for (std::uint32_t depth : {0u, 8'000u, 30'000u}) {
    book.observe_prefill(spark, 1'024, depth, 1.5 + depth / 20'000.0, at_s(depth));
  }
  book.observe_prefill(spark, 1'024, 0, 2.1, at_s(30'001), Beside::answers);
  book.observe_import(spark, 1'024, 0.02, at_s(1));
  book.observe_decode(spark, 0.06, at_s(2));
  book.observe_round_trip({"spark-1", "studio"}, 0.001, at_s(3));
  book.observe_transfer({"spark-1", "studio"}, 72'000'000, 0.064, at_s(4));
  return book;
}

TEST(RateBook, AnswersOnlyWhatWasSeen) {
  const RateBook book = sample_book();
  const Instant now = at_s(40'000);
  EXPECT_TRUE(book.prefill(spark, now));
  EXPECT_FALSE(book.prefill({"spark-1", "qwen"}, now));
  EXPECT_FALSE(book.prefill({"spark-2", "kimi"}, now));
  EXPECT_NEAR(book.byte_s({"spark-1", "studio"}, now)->value, 0.063 / 72e6, 1e-12);
  EXPECT_FALSE(book.byte_s({"studio", "spark-1"}, now));
  EXPECT_NEAR(book.import_token_s(spark, now)->value, 0.02 / 1'024, 1e-9);
}

TEST(RateBook, SurvivesARestartOnAnotherClock) {
  const RateBook before = sample_book();
  const std::string text = dump_json(before.to_json(at_s(40'000)));
  const Instant other_clock = Instant(hours(5'000));
  const auto after = RateBook::from_json(parse_json(text).value(), other_clock);
  ASSERT_TRUE(after) << after.error().message;
  EXPECT_NEAR(after->prefill(spark, other_clock)->seconds(5'000, 9'000)->value,
              before.prefill(spark, at_s(40'000))->seconds(5'000, 9'000)->value, 1e-9);
  EXPECT_NE(text.find("beside_answers"), std::string::npos);
  EXPECT_EQ(dump_json(after->to_json(other_clock)), text);
}

TEST(RateBook, ForgetsTheOldestBeyondItsBound) {
  RateBook book;
  for (std::size_t i = 0; i <= rate_entries_max; ++i) {
    book.observe_decode({"m" + std::to_string(i), "kimi"}, 0.1, at_s(static_cast<double>(i)));
  }
  const Instant now = at_s(1'000);
  EXPECT_FALSE(book.decode_s({"m0", "kimi"}, now));
  EXPECT_TRUE(book.decode_s({"m1", "kimi"}, now));
  EXPECT_EQ(book.to_json(now).find("machines")->as_array().size(), rate_entries_max);
}

struct BadBook {
  const char* text;
  const char* says;
};

TEST(RateBook, RefusesWhatIsNoBook) {
  const BadBook bad[] = {
      {R"({})", "version"},
      {R"({"version":2,"machines":[],"links":[]})", "version 2"},
      {R"({"version":1,"links":[]})", "machines"},
      {R"({"version":1,"machines":[],"links":{}})", "links"},
      {R"({"version":1,"machines":[{"model":"k"}],"links":[]})", "machines[0].machine"},
      {R"({"version":1,"machines":[{"machine":"a","model":"k","decode_s":{"mean":-1,"variance":0,"count":1,"age_s":0}}],"links":[]})",
       "machines[0].decode_s"},
      {R"({"version":1,"machines":[{"machine":"a","model":"k","beside_answers":{"mean":0,"variance":0,"count":1,"age_s":0}}],"links":[]})",
       "machines[0].beside_answers"},
      {R"({"version":1,"machines":[{"machine":"a","model":"k","prefill":{"deepest_tokens":1,"buckets":[{"bucket":99,"token_s":{},"depth_tokens":{}}]}}],"links":[]})",
       "bucket"},
  };
  for (const BadBook& b : bad) {
    const auto book = RateBook::from_json(parse_json(b.text).value(), at_s(0));
    ASSERT_FALSE(book) << b.text;
    EXPECT_NE(book.error().message.find(b.says), std::string::npos) << book.error().message;
  }
}

}  // namespace
}  // namespace hearth::cluster
