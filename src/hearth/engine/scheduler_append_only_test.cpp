// Models with a window or a recurrent state: a sequence goes on at its end or begins anew, and what is
// exported is exported at its end. The scripted engine ends the test where the rule is broken.

#include <gtest/gtest.h>

#include "hearth/engine/scheduler.h"
#include "hearth/engine/test_support.h"
#include "tests/support/scripted_engine.h"

namespace hearth::engine {
namespace {

constexpr std::uint32_t chunk_tokens = 256;

class AppendOnly : public ::testing::Test {
 protected:
  static constexpr EngineLimits limits{.context_tokens = 8192, .batch_tokens = 256,
                                       .ubatch_tokens = 128, .sequences = 3, .vocabulary = 1000,
                                       .is_append_only = true, .has_recurrent_state = true};
  ManualClock clock;
  testing::ScriptedEngine engine{limits};
  Scheduler scheduler{engine, clock,
                      {.chunk_tokens = chunk_tokens, .resume_every_chunks = 2, .pending_jobs_max = 8}};

  std::shared_ptr<Recorder> generate(std::vector<Token> prompt, std::optional<LeaseId> lease = {}) {
    auto sink = std::make_shared<Recorder>();
    GenerateRequest request;
    request.prompt = std::move(prompt);
    request.tokens_max = 3;
    request.lease = lease;
    EXPECT_TRUE(scheduler.submit(std::move(request), sink, {}));
    run();
    return sink;
  }
  std::shared_ptr<Recorder> submit_prefill(std::vector<Token> prompt, std::uint32_t from) {
    auto sink = std::make_shared<Recorder>();
    EXPECT_TRUE(scheduler.submit(
        PrefillRequest{.prompt = std::move(prompt), .lease = {}, .export_from = from}, sink, {}));
    return sink;
  }
  void run() {
    for (int i = 0; i < 10'000 && scheduler.has_work(); ++i) scheduler.step();
    EXPECT_FALSE(scheduler.has_work()) << "jobs do not end";
  }
  static std::uint32_t reused(const Recorder& sink) { return sink.all<PromptDone>().at(0)->reused_tokens; }
};

TEST_F(AppendOnly, ALongerPromptGoesOnAndAnyOtherBeginsAnew) {
  EXPECT_EQ(reused(*generate(run_of(400))), 0u);
  EXPECT_EQ(reused(*generate(run_of(600))), 402u);  // the answer goes on as the prompt does
  EXPECT_EQ(reused(*generate(run_of(500))), 0u);
  EXPECT_EQ(generate(run_of(500))->answer(), (std::vector<Token>{500, 501, 502}));
}

TEST_F(AppendOnly, EveryPieceIsExportedAtItsEndAndSomeCarryTheState) {
  const auto sink = submit_prefill(run_of(1100), 0);
  run();
  std::vector<std::pair<std::uint32_t, bool>> pieces;
  for (const StateDone* state : sink->all<StateDone>()) {
    pieces.emplace_back(state->range.end, state->is_partial);
  }
  EXPECT_EQ(pieces, (std::vector<std::pair<std::uint32_t, bool>>{
                        {256, true}, {512, false}, {768, true}, {1024, false}, {1100, false}}));
}

TEST_F(AppendOnly, APromptWaitsForWhoeverTakesItsPieces) {
  const auto sink = submit_prefill(run_of(1000), 0);
  sink->room = false;
  for (int i = 0; i < 20; ++i) scheduler.step();
  EXPECT_EQ(engine.sequences[0].size(), chunk_tokens);
  EXPECT_FALSE(scheduler.step()) << "nothing can go on";
  sink->room = true;
  run();
  EXPECT_EQ(sink->all<StateDone>().size(), 4u);
}

TEST_F(AppendOnly, WhatIsHeldBeyondTheFirstPieceIsComputedAgainForAnExport) {
  generate(run_of(700));
  const auto sink = submit_prefill(run_of(900), 256);
  run();
  ASSERT_EQ(sink->all<StateDone>().size(), 3u);
  EXPECT_EQ(sink->all<StateDone>().front()->range, (TokenRange{256, 512}));
}

TEST_F(AppendOnly, AnAnswerFromPartialStateComputesAll) {
  const auto prompt = run_of(600);
  const auto from = submit_prefill(run_of(599), 0);
  run();
  const auto states = from->all<StateDone>();
  for (const std::size_t pieces : {1u, 3u}) {
    SCOPED_TRACE(pieces);
    const auto lease = scheduler.open_lease(run_of(600, 1), std::chrono::hours(1)).value();
    for (std::size_t i = 0; i < pieces; ++i) {
      const TokenRange range = states[i]->range;
      const auto tokens = std::span(prompt).subspan(range.begin, range.count());
      const auto imported = scheduler.import_state(lease.lease, range, tokens, states[i]->blob.span());
      ASSERT_TRUE(imported) << imported.error().message;
    }
    const auto sink = generate(prompt, lease.lease);
    EXPECT_EQ(sink->answer(), (std::vector<Token>{600, 601, 602}));
    EXPECT_EQ(reused(*sink), pieces == 3 ? 599u : 0u);
  }
}

TEST_F(AppendOnly, ImportsJoinTheEndOrBeginAnew) {
  const auto prompt = run_of(600);
  const auto from = submit_prefill(run_of(599), 0);
  run();
  const auto states = from->all<StateDone>();
  const auto lease = scheduler.open_lease(prompt, std::chrono::hours(1)).value();
  EXPECT_EQ(lease.held_tokens, 599u);
  const auto import = [&](std::size_t i) {
    const TokenRange range = states[i]->range;
    return scheduler.import_state(lease.lease, range,
                                  std::span(prompt).subspan(range.begin, range.count()),
                                  states[i]->blob.span());
  };
  const auto behind = import(1);
  ASSERT_FALSE(behind);
  EXPECT_EQ(behind.error().code, Code::invalid_argument);
  ASSERT_TRUE(import(0));
  ASSERT_TRUE(import(1));
}

TEST_F(AppendOnly, HeldStateIsExportedOnlyAtTheEndOfItsSequence) {
  generate(run_of(254));  // and two tokens of the answer
  const auto held = run_of(700);
  const auto at_end = scheduler.export_held(held, {0, 256});
  ASSERT_TRUE(at_end);
  EXPECT_TRUE(at_end->has_value());
  generate(run_of(600));
  const auto passed = scheduler.export_held(held, {0, 256});
  ASSERT_TRUE(passed);
  EXPECT_FALSE(passed->has_value());
}

TEST_F(AppendOnly, ABatchThatFailedHalfwayEmptiesItsSequence) {
  engine.decode_errors = {Error{Code::internal, "a kernel failed"}};
  const auto sink = generate(run_of(300));
  EXPECT_EQ(sink->all<Error>().size(), 1u);
  EXPECT_EQ(generate(run_of(300))->answer(), (std::vector<Token>{300, 301, 302}));
}

}  // namespace
}  // namespace hearth::engine
