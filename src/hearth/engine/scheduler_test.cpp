#include "hearth/engine/scheduler.h"

#include <gtest/gtest.h>

#include "hearth/base/random.h"
#include "hearth/engine/test_support.h"
#include "tests/support/scripted_engine.h"

namespace hearth::engine {
namespace {

class SchedulerTest : public ::testing::Test {
 protected:
  static constexpr EngineLimits limits{.context_tokens = 4096, .batch_tokens = 256,
                                       .ubatch_tokens = 128, .sequences = 4, .vocabulary = 1000};
  ManualClock clock;
  testing::ScriptedEngine engine{limits};
  Scheduler scheduler{engine, clock, {.chunk_tokens = 256, .pending_jobs_max = 8}};

  std::shared_ptr<Recorder> generate(std::vector<Token> prompt, std::uint32_t tokens_max,
                                     StopToken stop = {}, std::vector<std::string> stops = {}) {
    auto sink = std::make_shared<Recorder>();
    GenerateRequest request;
    request.prompt = std::move(prompt);
    request.tokens_max = tokens_max;
    request.stop_strings = std::move(stops);
    EXPECT_TRUE(scheduler.submit(std::move(request), sink, stop));
    return sink;
  }
  std::shared_ptr<Recorder> prefill(std::vector<Token> prompt, std::optional<std::uint32_t> from) {
    auto sink = std::make_shared<Recorder>();
    EXPECT_TRUE(scheduler.submit(
        PrefillRequest{.prompt = std::move(prompt), .lease = {}, .export_from = from}, sink, {}));
    return sink;
  }
  void run_until_done(int steps_max = 10'000) {
    for (int i = 0; i < steps_max && scheduler.has_work(); ++i) scheduler.step();
    EXPECT_FALSE(scheduler.has_work()) << "jobs do not end";
  }
};

TEST_F(SchedulerTest, AnswersFromTheLastPromptToken) {
  const auto sink = generate(run_of(5), 3);
  run_until_done();
  EXPECT_EQ(sink->answer(), (std::vector<Token>{5, 6, 7}));
  EXPECT_EQ(sink->all<Finished>().at(0)->reason, FinishReason::token_limit);
  EXPECT_EQ(sink->all<PromptDone>().at(0)->computed_tokens, 4u);
}

TEST_F(SchedulerTest, ComputesALonePromptInWholeChunksThenTheLastTokenAlone) {
  generate(run_of(600), 1);
  run_until_done();
  EXPECT_EQ(engine.batch_sizes, (std::vector<std::size_t>{256, 256, 87, 1}));
}

TEST_F(SchedulerTest, OneTokenPromptNeedsNoPrefill) {
  const auto sink = generate({41}, 1);
  run_until_done();
  EXPECT_EQ(sink->answer(), std::vector<Token>{42});
  EXPECT_EQ(engine.batch_sizes, std::vector<std::size_t>{1});
}

TEST_F(SchedulerTest, EndsAtTheEndToken) {
  engine.end_token = 12;
  const auto sink = generate(run_of(10), 100);
  run_until_done();
  EXPECT_EQ(sink->answer(), (std::vector<Token>{10, 11}));
  EXPECT_EQ(sink->all<Finished>().at(0)->reason, FinishReason::end_of_generation);
}

TEST_F(SchedulerTest, AMeasurementGoesOnPastTheEndToken) {
  engine.end_token = 10;
  GenerateRequest request{.prompt = run_of(10), .tokens_max = 3, .sampling = {.temperature = 0},
                          .stop_strings = {}, .first_logits = true, .ignore_eos = true};
  const auto sink = std::make_shared<Recorder>();
  ASSERT_TRUE(scheduler.submit(std::move(request), sink, {}));
  run_until_done();
  EXPECT_EQ(sink->answer(), (std::vector<Token>{10, 11, 12}));
  EXPECT_FALSE(sink->all<TokenDone>().at(0)->first_logits.empty());
  EXPECT_EQ(sink->all<Finished>().at(0)->reason, FinishReason::token_limit);
}

TEST_F(SchedulerTest, EndsAtAStopString) {
  const auto sink = generate({'`'}, 100, {}, {"cd"});
  run_until_done();
  EXPECT_EQ(sink->text(), "ab");
  EXPECT_EQ(sink->all<Finished>().at(0)->stop_string, "cd");
}

TEST_F(SchedulerTest, ALeaseLastsAsLongAsItIsUsed) {
  const auto prompt = run_of(1000);
  const auto lease = scheduler.open_lease(prompt, std::chrono::seconds(10)).value();
  for (std::uint32_t begin = 0; begin < 768; begin += 256) {
    clock.advance(std::chrono::seconds(8));
    scheduler.step();
    const auto part = std::span(prompt).subspan(begin, 256);
    ASSERT_TRUE(scheduler.import_state(lease.lease, {begin, begin + 256}, part, std::as_bytes(part)));
  }
  clock.advance(std::chrono::seconds(11));
  scheduler.step();
  const auto part = std::span(prompt).subspan(768, 100);
  EXPECT_FALSE(scheduler.import_state(lease.lease, {768, 868}, part, std::as_bytes(part)));
}

TEST_F(SchedulerTest, AHolderOfALeaseDoesNotWaitBehindThoseWhoWaitForItsPlace) {
  std::vector<LeaseId> leases;
  for (Token first = 0; first < 4; ++first) {
    leases.push_back(scheduler.open_lease(run_of(10, static_cast<Token>(first * 100)),
                                          std::chrono::seconds(5)).value().lease);
  }
  const auto waits = generate(run_of(10, 500), 2);  // every sequence is lent
  const auto holder = std::make_shared<Recorder>();
  ASSERT_TRUE(scheduler.submit(
      GenerateRequest{.prompt = run_of(10), .tokens_max = 2, .lease = leases[0]}, holder, {}));
  clock.advance(std::chrono::seconds(4));
  run_until_done();
  EXPECT_TRUE(holder->all<Error>().empty());
  EXPECT_EQ(holder->answer().size(), 2u);
  EXPECT_EQ(waits->answer().size(), 2u);
}

TEST_F(SchedulerTest, AWaitingJobKeepsItsLease) {
  const auto lease = scheduler.open_lease(run_of(10), std::chrono::seconds(5)).value().lease;
  const auto sink = std::make_shared<Recorder>();
  ASSERT_TRUE(scheduler.submit(GenerateRequest{.prompt = run_of(10), .tokens_max = 2, .lease = lease},
                               sink, {}));
  clock.advance(std::chrono::seconds(60));
  run_until_done();
  EXPECT_TRUE(sink->all<Error>().empty());
}

TEST_F(SchedulerTest, RefusesAPromptLongerThanTheContextWithBothNumbers) {
  const auto sink = std::make_shared<Recorder>();
  const auto result =
      scheduler.submit(GenerateRequest{.prompt = run_of(4097)}, sink, {});
  ASSERT_FALSE(result);
  EXPECT_NE(result.error().message.find("4097"), std::string::npos);
  EXPECT_NE(result.error().message.find("4096"), std::string::npos);
  EXPECT_TRUE(sink->events.empty());
}

TEST_F(SchedulerTest, StopsWhenTheContextIsFull) {
  const auto sink = generate(run_of(4090), 100);
  run_until_done();
  EXPECT_EQ(sink->answer().size(), 7u);
  EXPECT_EQ(sink->all<Finished>().at(0)->reason, FinishReason::context_full);
}

TEST_F(SchedulerTest, ReusesThePrefixOfAnEarlierTurn) {
  generate(run_of(300), 3);
  run_until_done();
  const auto second = generate(run_of(320), 1);
  run_until_done();
  EXPECT_EQ(second->all<PromptDone>().at(0)->reused_tokens, 302u);
  EXPECT_EQ(second->answer(), std::vector<Token>{320});
}

TEST_F(SchedulerTest, TellsWhatIsReusedBeforeThePromptIsComputed) {
  generate(run_of(300), 3);
  run_until_done();
  engine.batch_sizes.clear();
  const auto second = generate(run_of(2'000), 1);
  engine.before_decode = [&] {
    const auto told = second->all<PromptProgress>();
    ASSERT_FALSE(told.empty());
    EXPECT_EQ(told[0]->reused_tokens, 302u);
    EXPECT_EQ(told[0]->tokens_done, 302u);
    EXPECT_EQ(told[0]->tokens_total, 1'999u);
  };
  run_until_done();
  for (const PromptProgress* progress : second->all<PromptProgress>()) {
    EXPECT_EQ(progress->reused_tokens, 302u);
  }
  EXPECT_EQ(second->all<PromptProgress>().back()->tokens_done, 1'999u);
}

TEST_F(SchedulerTest, RunningAnswersKeepTheirPaceBesideALongPrompt) {
  const auto first = generate(run_of(2), 50);
  while (first->answer().empty()) scheduler.step();
  const auto second = generate(run_of(2000, 7), 1);
  const std::size_t before = first->answer().size();
  int steps = 0;
  while (second->all<PromptDone>().empty() && !first->ended()) {
    scheduler.step();
    ++steps;
  }
  EXPECT_EQ(first->answer().size() - before, static_cast<std::size_t>(steps));
  run_until_done();
  EXPECT_EQ(second->answer().size(), 1u);
}

TEST_F(SchedulerTest, SlowReaderStopsOnlyItsOwnAnswer) {
  const auto slow = generate(run_of(2), 5);
  const auto fast = generate(run_of(3, 100), 5);
  while (slow->answer().empty() || fast->answer().empty()) scheduler.step();
  slow->room = false;
  while (!fast->ended()) ASSERT_TRUE(scheduler.step());
  EXPECT_FALSE(slow->ended());
  EXPECT_FALSE(scheduler.step()) << "nothing to do while the only reader is slow";
  slow->room = true;
  run_until_done();
  EXPECT_EQ(slow->answer().size(), 5u);
}

TEST_F(SchedulerTest, CancelFreesTheSequenceAtTheNextStep) {
  StopSource source;
  const auto sink = generate(run_of(10), 1000, source.token());
  for (int i = 0; i < 5; ++i) scheduler.step();
  source.request_stop();
  scheduler.step();
  EXPECT_EQ(sink->all<Error>().at(0)->code, Code::cancelled);
  EXPECT_EQ(scheduler.stats().slots_busy, 0u);
  EXPECT_FALSE(scheduler.has_work());
}

TEST_F(SchedulerTest, CancelReachesIntoTheRunningBatchOfALoneJob) {
  StopSource source;
  const auto sink = generate(run_of(2000), 5, source.token());
  engine.before_decode = [&] { source.request_stop(); };
  scheduler.step();
  scheduler.step();
  EXPECT_EQ(sink->all<Error>().at(0)->code, Code::cancelled);
  EXPECT_EQ(engine.cells_used(), 0u);
}

TEST_F(SchedulerTest, QueueIsBounded) {
  for (int i = 0; i < 8; ++i) generate(run_of(5), 1);
  const auto result = scheduler.submit(GenerateRequest{.prompt = run_of(5)},
                                       std::make_shared<Recorder>(), {});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Code::resource_exhausted);
  run_until_done();
}

TEST_F(SchedulerTest, PrefillExportsChunksThenTheTail) {
  const auto sink = prefill(run_of(600), 0);
  run_until_done();
  std::vector<TokenRange> ranges;
  for (const StateDone* done : sink->all<StateDone>()) ranges.push_back(done->range);
  EXPECT_EQ(ranges, (std::vector<TokenRange>{{0, 256}, {256, 512}, {512, 600}}));
  EXPECT_EQ(sink->all<Finished>().at(0)->reason, FinishReason::prefilled);
}

TEST_F(SchedulerTest, PrefillExportsOnlyWhatIsMissing) {
  const auto sink = prefill(run_of(600), 512);
  run_until_done();
  ASSERT_EQ(sink->all<StateDone>().size(), 1u);
  EXPECT_EQ(sink->all<StateDone>()[0]->range, (TokenRange{512, 600}));
}

TEST_F(SchedulerTest, SlowReceiverOfChunksDoesNotStopTheComputation) {
  const auto sink = prefill(run_of(1000), 0);
  sink->room = false;
  for (int i = 0; i < 20; ++i) scheduler.step();
  EXPECT_TRUE(sink->all<StateDone>().empty());
  EXPECT_EQ(sink->all<PromptDone>().size(), 1u);
  sink->room = true;
  run_until_done();
  EXPECT_EQ(sink->all<StateDone>().size(), 4u);
}

TEST_F(SchedulerTest, ImportedStateIsContinued) {
  const std::vector<Token> prompt = run_of(601);
  const auto lease = scheduler.open_lease(prompt, std::chrono::seconds(10));
  ASSERT_TRUE(lease);
  EXPECT_EQ(lease->held_tokens, 0u);
  for (const TokenRange range : {TokenRange{0, 256}, TokenRange{256, 512}, TokenRange{512, 600}}) {
    const auto part = std::span(prompt).subspan(range.begin, range.count());
    ASSERT_TRUE(scheduler.import_state(lease->lease, range, part, std::as_bytes(part)));
  }
  auto sink = std::make_shared<Recorder>();
  ASSERT_TRUE(scheduler.submit(
      GenerateRequest{.prompt = prompt, .tokens_max = 2, .lease = lease->lease}, sink, {}));
  run_until_done();
  EXPECT_EQ(sink->answer(), (std::vector<Token>{601, 602}));
  EXPECT_EQ(sink->all<PromptDone>().at(0)->reused_tokens, 600u);
  EXPECT_EQ(engine.batch_sizes, (std::vector<std::size_t>{1, 1}));
}

TEST_F(SchedulerTest, ImportRefusesGapsAndUnknownLeases) {
  const std::vector<Token> prompt = run_of(600);
  const auto lease = scheduler.open_lease(prompt, std::chrono::seconds(10)).value();
  const auto part = std::span(prompt).subspan(256, 256);
  EXPECT_FALSE(scheduler.import_state(lease.lease, {256, 512}, part, std::as_bytes(part)));
  EXPECT_FALSE(scheduler.import_state(LeaseId{99}, {0, 256}, part, std::as_bytes(part)));
  EXPECT_FALSE(scheduler.import_state(lease.lease, {0, 200}, part, std::as_bytes(part)));
}

TEST_F(SchedulerTest, LeaseHidesNothingAndExpires) {
  for (int i = 0; i < 4; ++i) {
    ASSERT_TRUE(scheduler.open_lease(run_of(10, i * 100), std::chrono::seconds(5)));
  }
  EXPECT_FALSE(scheduler.open_lease(run_of(10), std::chrono::seconds(5)));
  clock.advance(std::chrono::seconds(6));
  EXPECT_TRUE(scheduler.open_lease(run_of(10), std::chrono::seconds(5)));
}

TEST_F(SchedulerTest, FailedBatchEndsItsJobsAndLeavesTheNextOneWell) {
  engine.decode_errors = {Error{Code::internal, "kernel"}};
  const auto broken = generate(run_of(10), 2);
  run_until_done();
  EXPECT_EQ(broken->all<Error>().at(0)->code, Code::internal);
  const auto next = generate(run_of(10), 2);
  run_until_done();
  EXPECT_EQ(next->answer(), (std::vector<Token>{10, 11}));
}

TEST_F(SchedulerTest, OutOfCellsEvictsIdleSequencesAndGoesOn) {
  generate(run_of(500), 2);
  run_until_done();
  engine.decode_errors = {Error{Code::resource_exhausted, "no cells"}};
  const auto sink = generate(run_of(50, 600), 2);
  run_until_done();
  EXPECT_EQ(sink->answer().size(), 2u);
}

TEST_F(SchedulerTest, BatchThatDoesNotFitEndsOneJobAndTheOthersGoOn) {
  const auto first = generate(run_of(2), 5);
  const auto second = generate(run_of(3, 100), 5);
  while (first->answer().empty() || second->answer().empty()) scheduler.step();
  engine.decode_errors = {Error{Code::resource_exhausted, "no cells"}};
  run_until_done();
  EXPECT_EQ(first->answer(), (std::vector<Token>{2, 3, 4, 5, 6}));
  EXPECT_EQ(second->all<Error>().at(0)->code, Code::resource_exhausted);
}

// Whatever mix of jobs, cancels and errors: each ends once, nothing stays busy, answers are right.
TEST_F(SchedulerTest, RandomTrafficEndsAndStaysRight) {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    testing::ScriptedEngine own(limits);
    Scheduler under_test(own, clock, {.chunk_tokens = 256, .pending_jobs_max = 64});
    struct Running {
      std::shared_ptr<Recorder> sink;
      std::shared_ptr<StopSource> stop;
      Token first;
    };
    std::vector<Running> jobs;
    for (int round = 0; round < 60; ++round) {
      if (random.chance(0.3)) {
        Running job{std::make_shared<Recorder>(), std::make_shared<StopSource>(), 0};
        const auto length = 1 + random.below(700);
        auto prompt = run_of(length, random.chance(0.5) ? 0 : static_cast<Token>(random.below(1000)));
        job.first = static_cast<Token>((prompt.back() + 1) % 1000);
        if (under_test.submit(GenerateRequest{.prompt = std::move(prompt),
                                              .tokens_max = 1 + static_cast<std::uint32_t>(random.below(20))},
                              job.sink, job.stop->token())) {
          jobs.push_back(job);
        }
      }
      for (auto& job : jobs) {
        job.sink->room = random.chance(0.8);
        if (random.chance(0.01)) job.stop->request_stop();
      }
      if (random.chance(0.02)) own.decode_errors.push_back(Error{Code::resource_exhausted, "cells"});
      under_test.step();
      ASSERT_EQ(own.refused_for_cells, 0);
    }
    for (auto& job : jobs) job.sink->room = true;
    for (int i = 0; i < 5000 && under_test.has_work(); ++i) under_test.step();
    ASSERT_FALSE(under_test.has_work());
    ASSERT_EQ(under_test.stats().slots_busy, 0u);
    for (const auto& job : jobs) {
      ASSERT_TRUE(job.sink->ended());
      const auto answer = job.sink->answer();
      for (std::size_t i = 0; i < answer.size(); ++i) {
        ASSERT_EQ(answer[i], static_cast<Token>((static_cast<std::size_t>(job.first) + i) % 1000));
      }
    }
  }
}

}  // namespace
}  // namespace hearth::engine
