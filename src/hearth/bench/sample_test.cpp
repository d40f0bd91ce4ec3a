#include "hearth/bench/sample.h"

#include <gtest/gtest.h>

namespace hearth::bench {
namespace {

Sample example() {
  Sample s{.target = "a", .of = {.prompt_tokens = 100, .depth = 50, .answer_tokens = 9, .streams = 2}, .repeat = 3};
  s.ttft_ms = 50;
  s.total_ms = 130;
  s.prompt_tokens = 150;
  s.cached_tokens = 50;
  s.answer_tokens = 9;
  s.gaps_ms = {10, 11};
  s.progress = {{50, 0}, {100, 20}, {150, 45}};
  s.server_prefill_tok_s = 2'000;
  s.hand_off = HandOff{.bytes = 7, .chunks = 1, .hidden_share = 0.5, .tail_ms = 2};
  s.findings = {"odd"};
  return s;
}

TEST(Sample, ComesBackAsItWasWritten) {
  const Sample s = example();
  const auto again = parse_sample(dump_json(sample_json(s)));
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(sample_json(*again), sample_json(s));
  for (const char* text : {"", "{}", "{\"target\": 3}", "[]"}) EXPECT_FALSE(parse_sample(text)) << text;
}

TEST(Sample, RatesCountWhatTheServerComputed) {
  const Sample s = example();
  EXPECT_DOUBLE_EQ(*s.prefill_tok_s(), 100 / 0.050);
  EXPECT_DOUBLE_EQ(*s.tpot_ms(), 10);
  Sample one = s;
  one.answer_tokens = 1;
  EXPECT_FALSE(one.tpot_ms());
  one.cached_tokens = one.prompt_tokens;
  EXPECT_FALSE(one.prefill_tok_s());
  one.failure = "gone";
  EXPECT_FALSE(one.prefill_tok_s());
}

TEST(Sample, RateAlongAPrompt) {
  const auto rates = rates_along(example().progress);
  ASSERT_EQ(rates.size(), 2U);
  EXPECT_DOUBLE_EQ(rates[0].depth, 75);
  EXPECT_DOUBLE_EQ(rates[0].tok_s, 2'500);
  EXPECT_DOUBLE_EQ(rates[1].tok_s, 2'000);
  EXPECT_TRUE(rates_along({{5, 1}, {5, 2}, {4, 3}}).empty());
}

TEST(Lies, EachIsNoticed) {
  const auto findings = [](auto&& change, Promise promise = {.answer_tokens_max = 9, .pieces = 5, .prompt_bytes = 600}) {
    Sample s = example();
    s.findings.clear();
    change(s);
    find_lies(s, promise);
    return s.findings.empty() ? std::string() : s.findings.front();
  };
  EXPECT_EQ(findings([](Sample&) {}), "");
  EXPECT_NE(findings([](Sample& s) { s.prompt_tokens = 0; }), "");
  EXPECT_NE(findings([](Sample& s) { s.cached_tokens = 900; }), "");
  EXPECT_NE(findings([](Sample& s) { s.prompt_tokens = 4; s.cached_tokens = 0; }), "");
  EXPECT_NE(findings([](Sample& s) { s.prompt_tokens = 90'000; }), "");
  EXPECT_NE(findings([](Sample& s) { s.answer_tokens = 10; }), "");
  EXPECT_NE(findings([](Sample& s) { s.answer_tokens = 4; }), "");
  EXPECT_NE(findings([](Sample&) {}, {.answer_tokens_max = 9, .pieces = 5, .prompt_bytes = 600, .server_prompt_ms = 70}), "");
  EXPECT_EQ(findings([](Sample& s) { s.failure = "gone"; s.prompt_tokens = 0; }), "");
}

}  // namespace
}  // namespace hearth::bench
