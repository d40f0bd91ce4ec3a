// Schedules and replays against targets that answer by script, at once.
#include "hearth/bench/runner.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>

#include "hearth/base/guarded.h"

namespace hearth::bench {
namespace {

// Two bytes a token; remembers what it was asked.
class ScriptedTarget final : public Target {
 public:
  explicit ScriptedTarget(std::string name) : info_{.name = std::move(name), .kind = "script"} {}
  const TargetInfo& info() const override { return info_; }
  Sample ask(const Ask& ask, Deadline, const StopToken&) override {
    Sample out;
    const auto cached = asked.with([&](std::vector<std::string>& texts) {
      std::size_t longest = 0;
      for (const std::string& text : texts) {
        if (ask.text.starts_with(text)) longest = std::max(longest, text.size());
      }
      texts.push_back(ask.text);
      return longest;
    });
    out.ttft_ms = 10;
    out.total_ms = 20;
    out.prompt_tokens = static_cast<std::uint32_t>(ask.text.size() / 2);
    out.cached_tokens = static_cast<std::uint32_t>(cached / 2);
    out.answer_tokens = ask.answer_tokens;
    if (++calls == fails_at) out.failure = "gone";
    return out;
  }
  Guarded<std::vector<std::string>> asked;
  std::atomic<std::uint64_t> calls{0};
  std::uint64_t fails_at = 0;

 private:
  TargetInfo info_;
};

struct Collected {
  std::vector<Sample> samples;
  RunHooks hooks() {
    return {.sink = [this](std::span<const Sample> kept) -> Result<> {
      samples.insert(samples.end(), kept.begin(), kept.end());
      return {};
    }};
  }
};

TEST(Schedule, TakesTargetsInTurnAndNoneAlwaysFirst) {
  const auto steps = schedule(2, 1, 1, 4);
  ASSERT_EQ(steps.size(), 10U);
  EXPECT_TRUE(steps[0].is_warm_up && steps[1].is_warm_up);
  std::size_t first[2] = {};
  for (std::size_t i = 2; i < steps.size(); i += 2) {
    ++first[steps[i].target];
    EXPECT_NE(steps[i].target, steps[i + 1].target);
    EXPECT_EQ(steps[i].repeat, (i - 2) / 2);
  }
  EXPECT_GT(first[0], 0U);
  EXPECT_GT(first[1], 0U);
}

TEST(RunCases, MeasuresEachCaseOfEachTargetSoOften) {
  ScriptedTarget a("a"), b("b");
  Collected got;
  const RunPlan plan{.cases = {{.prompt_tokens = 100, .answer_tokens = 5}, {.prompt_tokens = 50, .depth = 200, .answer_tokens = 5}, {.prompt_tokens = 60, .answer_tokens = 5, .streams = 3}},
                     .warm_ups = 1, .repeats = 2};
  ASSERT_TRUE(run_cases({&a, &b}, plan, got.hooks(), {}));
  EXPECT_EQ(got.samples.size(), 2U * 2U * (1 + 1 + 3));
  for (const Sample& sample : got.samples) {
    EXPECT_TRUE(sample.findings.empty()) << sample.findings.front();
    EXPECT_NEAR(sample.cached_tokens, sample.of.depth, 1);
    EXPECT_NEAR(sample.computed_tokens(), sample.of.prompt_tokens, 2);
  }
}

TEST(RunCases, WhatWasMeasuredBeforeIsNotRepeated) {
  RunPlan plan{.cases = {{.prompt_tokens = 10, .answer_tokens = 1}, {.prompt_tokens = 10, .answer_tokens = 1, .streams = 2}}, .warm_ups = 1, .repeats = 3};
  ScriptedTarget before("a");
  Collected first;
  std::size_t left = 4;
  RunHooks hooks = first.hooks();
  hooks.still_the_same = [&]() -> Result<> { return --left > 0 ? Result<>() : fail(Code::corrupt, "cut"); };
  ASSERT_FALSE(run_cases({&before}, plan, hooks, {}));
  for (const Sample& sample : first.samples) plan.done.add(sample);
  ScriptedTarget after("a");
  Collected rest;
  ASSERT_TRUE(run_cases({&after}, plan, rest.hooks(), {}));
  EXPECT_EQ(first.samples.size() + rest.samples.size(), 3U * (1 + 2));
  for (const Sample& sample : rest.samples) plan.done.add(sample);
  ScriptedTarget third("a");
  ASSERT_TRUE(run_cases({&third}, plan, {}, {}));
  EXPECT_EQ(third.calls, 0U);
}

TEST(RunCases, TheStreamsOfOneStepAreKeptTogether) {
  ScriptedTarget a("a");
  std::vector<std::size_t> together;
  const RunHooks hooks{.sink = [&](std::span<const Sample> samples) -> Result<> {
    together.push_back(samples.size());
    return {};
  }};
  ASSERT_TRUE(run_cases({&a}, {.cases = {{.prompt_tokens = 10, .answer_tokens = 1, .streams = 4}}, .warm_ups = 1, .repeats = 2}, hooks, {}));
  EXPECT_EQ(together, (std::vector<std::size_t>{4, 4}));
}

TEST(RunCases, AFailureIsASampleAndTheRunGoesOn) {
  ScriptedTarget a("a");
  a.fails_at = 5;
  Collected got;
  ASSERT_TRUE(run_cases({&a}, {.cases = {{.prompt_tokens = 10, .answer_tokens = 1}}, .warm_ups = 0, .repeats = 6}, got.hooks(), {}));
  EXPECT_EQ(got.samples.size(), 6U);
  EXPECT_EQ(std::ranges::count(got.samples, "gone", &Sample::failure), 1);
}

TEST(RunCases, EnergyIsSharedByTheStreamsAndLeftOutWhereItIsNotTold) {
  ScriptedTarget a("a");
  Collected got;
  RunHooks hooks = got.hooks();
  int readings = 0;  // before and after each step
  hooks.energy_j = [&]() -> std::optional<double> {
    ++readings;
    return readings > 4 ? std::nullopt : std::optional(6.0 * readings);
  };
  ASSERT_TRUE(run_cases({&a}, {.cases = {{.prompt_tokens = 10, .answer_tokens = 1, .streams = 3}}, .warm_ups = 0, .repeats = 3}, hooks, {}));
  ASSERT_EQ(got.samples.size(), 9U);
  for (std::size_t i = 0; i < got.samples.size(); ++i) {
    EXPECT_EQ(got.samples[i].energy_j, i < 6 ? std::optional(2.0) : std::nullopt) << i;
  }
}

TEST(RunCases, StopsWhenAskedAndKeepsWhatItHas) {
  ScriptedTarget a("a");
  StopSource stop;
  std::size_t kept = 0;
  RunHooks hooks{.sink = [&](std::span<const Sample>) -> Result<> {
    if (++kept == 3) stop.request_stop();
    return {};
  }};
  const auto done = run_cases({&a}, {.cases = {{.prompt_tokens = 10, .answer_tokens = 1}}, .repeats = 10}, hooks, stop.token());
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, Code::cancelled);
  EXPECT_EQ(kept, 3U);
}

TEST(RunCases, AModelThatChangesMakesItVoid) {
  ScriptedTarget a("a");
  Collected got;
  RunHooks hooks = got.hooks();
  hooks.still_the_same = [&]() -> Result<> {
    if (got.samples.size() == 2) return fail(Code::corrupt, "the model changed");
    return {};
  };
  const auto done = run_cases({&a}, {.cases = {{.prompt_tokens = 10, .answer_tokens = 1}}, .warm_ups = 0, .repeats = 9}, hooks, {});
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, Code::corrupt);
  EXPECT_EQ(got.samples.size(), 2U);
}

TEST(RunCases, ATargetThatDoesNotAnswerAtAllEndsIt) {
  ScriptedTarget a("a");
  a.fails_at = 1;
  const auto done = run_cases({&a}, {.cases = {{.prompt_tokens = 10, .answer_tokens = 1}}}, {}, {});
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, Code::unavailable);
}

TEST(Replay, SendsEveryRowOnceWithItsLengths) {
  ScriptedTarget a("a");
  Collected got;
  ReplayPlan plan{.name = "agents", .rows = agent_sessions({.turns = 300, .scale = 0.01}, 8), .block_tokens = 8, .speed = 0, .in_flight_max = 8};
  ASSERT_TRUE(replay({&a}, plan, got.hooks(), {}));
  ASSERT_EQ(got.samples.size(), 300U);
  std::vector<bool> seen(300);
  for (const Sample& sample : got.samples) {
    seen[sample.repeat] = true;
    EXPECT_NEAR(sample.prompt_tokens, plan.rows[sample.repeat].prompt_tokens, 2);
  }
  EXPECT_EQ(std::ranges::count(seen, true), 300);
}

TEST(Replay, GoesByTheClockOfTheTrace) {
  ScriptedTarget a("a");
  Collected got;
  ReplayPlan plan{.name = "t", .rows = {{.at_ms = 1000, .prompt_tokens = 5, .answer_tokens = 1}, {.at_ms = 1400, .prompt_tokens = 5, .answer_tokens = 1}}, .speed = 4};
  ASSERT_TRUE(replay({&a}, plan, got.hooks(), {}));
  ASSERT_EQ(got.samples.size(), 2U);
  EXPECT_GE(got.samples[1].sent_at_s - got.samples[0].sent_at_s, 0.08);  // 400 ms at four times the speed
}

}  // namespace
}  // namespace hearth::bench
