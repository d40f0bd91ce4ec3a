// Texts that are scored: a row of logits for each token but the first.
#include <gtest/gtest.h>

#include <algorithm>

#include "hearth/engine/scheduler.h"
#include "hearth/engine/test_support.h"
#include "tests/support/scripted_engine.h"

namespace hearth::engine {
namespace {

class ScheduledScores : public ::testing::Test {
 protected:
  explicit ScheduledScores(std::uint32_t score_rows = 256)
      : engine({.context_tokens = 4096, .batch_tokens = 256, .ubatch_tokens = 128, .sequences = 4,
                .vocabulary = 1000, .score_rows = score_rows}) {}

  std::shared_ptr<Recorder> score(std::vector<Token> tokens, std::uint32_t from) {
    auto sink = std::make_shared<Recorder>();
    EXPECT_TRUE(scheduler.submit(ScoreRequest{std::move(tokens), from}, sink, {}));
    return sink;
  }
  void run_until_done() {
    for (int i = 0; i < 10'000 && scheduler.has_work(); ++i) scheduler.step();
    EXPECT_FALSE(scheduler.has_work()) << "jobs do not end";
  }
  // What each row foretells; rows must follow each other without gaps.
  std::vector<Token> foretold(const Recorder& sink, std::uint32_t from) const {
    std::vector<Token> out;
    const std::size_t width = engine.limits().vocabulary;
    for (const LogitsDone* done : sink.all<LogitsDone>()) {
      EXPECT_EQ(done->first, from + out.size());
      for (std::size_t row = 0; row < done->rows.size() / width; ++row) {
        const auto begin = done->rows.begin() + static_cast<std::ptrdiff_t>(row * width);
        out.push_back(static_cast<Token>(std::max_element(begin, begin + static_cast<std::ptrdiff_t>(width)) - begin));
      }
    }
    return out;
  }

  ManualClock clock;
  testing::ScriptedEngine engine;
  Scheduler scheduler{engine, clock, {.chunk_tokens = 256, .pending_jobs_max = 8}};
};

TEST_F(ScheduledScores, ForetellEveryTokenFromTheAskedOneOn) {
  const auto text = run_of(600);
  const auto sink = score(text, 100);
  run_until_done();
  EXPECT_EQ(foretold(*sink, 100), std::vector<Token>(text.begin() + 100, text.end()));
  EXPECT_EQ(sink->all<Finished>().at(0)->reason, FinishReason::prefilled);
  EXPECT_EQ(engine.batch_sizes, (std::vector<std::size_t>{256, 256, 87}));
}

TEST_F(ScheduledScores, ReuseOnlyWhatComesBeforeThem) {
  const auto text = run_of(300);
  score(text, 1);
  run_until_done();
  const auto again = score(text, 290);
  run_until_done();
  EXPECT_EQ(foretold(*again, 290), std::vector<Token>(text.begin() + 290, text.end()));
  EXPECT_EQ(again->all<PromptDone>().at(0)->computed_tokens, 10u);
}

TEST_F(ScheduledScores, WaitForASlowReaderBesideAnswersThatGoOn) {
  const auto slow = score(run_of(600), 1);
  slow->room = false;
  auto answer = std::make_shared<Recorder>();
  GenerateRequest request;
  request.prompt = run_of(50, 100);
  request.tokens_max = 5;
  ASSERT_TRUE(scheduler.submit(std::move(request), answer, {}));
  for (int i = 0; i < 20; ++i) scheduler.step();
  EXPECT_TRUE(answer->ended());
  EXPECT_TRUE(slow->all<LogitsDone>().empty());
  slow->room = true;
  run_until_done();
  EXPECT_EQ(foretold(*slow, 1).size(), 599u);
}

TEST_F(ScheduledScores, RefuseATextWithoutAnythingToForetell) {
  auto sink = std::make_shared<Recorder>();
  for (const auto& [count, from] : {std::pair{1u, 1u}, {5u, 0u}, {5u, 5u}, {0u, 0u}}) {
    const auto refused = scheduler.submit(ScoreRequest{run_of(count), from}, sink, {});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::invalid_argument);
  }
  EXPECT_FALSE(scheduler.submit(ScoreRequest{run_of(5000), 1}, sink, {}));
}

class ScheduledScoresInSmallSlices : public ScheduledScores {
 protected:
  ScheduledScoresInSmallSlices() : ScheduledScores(32) {}
};

TEST_F(ScheduledScoresInSmallSlices, ComeNoMoreAtOnceThanTheEngineTakes) {
  const auto text = run_of(150);
  const auto sink = score(text, 50);
  run_until_done();
  EXPECT_EQ(foretold(*sink, 50), std::vector<Token>(text.begin() + 50, text.end()));
  EXPECT_EQ(engine.batch_sizes, (std::vector<std::size_t>{81, 32, 32, 4}));
}

TEST_F(ScheduledScoresInSmallSlices, ShareTheRoomBetweenTexts) {
  const auto one = score(run_of(100), 1), other = score(run_of(100, 500), 1);
  run_until_done();
  EXPECT_EQ(foretold(*one, 1).size(), 99u);
  EXPECT_EQ(foretold(*other, 1), run_of(99, 501));
  for (const auto& batch : engine.batches) {
    EXPECT_LE(std::ranges::count_if(batch, [](const BatchItem& item) { return item.wants_logits; }), 32);
  }
}

class ScheduledScoresWithoutRoom : public ScheduledScores {
 protected:
  ScheduledScoresWithoutRoom() : ScheduledScores(0) {}
};

TEST_F(ScheduledScoresWithoutRoom, AreRefused) {
  const auto refused = scheduler.submit(ScoreRequest{run_of(10), 1}, std::make_shared<Recorder>(), {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::unsupported);
}

}  // namespace
}  // namespace hearth::engine
