#include "hearth/cluster/progress_deadline.h"

#include <gtest/gtest.h>

namespace hearth::cluster {
namespace {

using std::chrono::seconds;

const Instant start = Instant(std::chrono::hours(1));

TEST(ProgressDeadline, IsAMultipleOfThePredictionAboveAFloorAndStartsAgain) {
  ProgressDeadline deadline({}, seconds(10), start);
  EXPECT_EQ(deadline.when(), start + seconds(30));
  deadline.on_progress(seconds(20), start + seconds(29));
  EXPECT_EQ(deadline.when(), start + seconds(89));
  deadline.on_progress(Duration::zero(), start + seconds(88));
  EXPECT_EQ(deadline.when(), start + seconds(90));  // the floor
  EXPECT_FALSE(deadline.passed(start + seconds(89)));
  EXPECT_TRUE(deadline.passed(start + seconds(90)));
}

TEST(ProgressDeadline, NeverMovesBack) {
  ProgressDeadline deadline({}, seconds(100), start);
  deadline.on_progress(seconds(1), start + seconds(1));
  EXPECT_EQ(deadline.when(), start + seconds(300));
}

const PrefillCurve fast{.token_s = 0.001, .depth_max = 1'000'000};
const PrefillCurve slow{.token_s = 0.004, .depth_max = 1'000'000};

struct Situation {
  const char* name;
  RemoteProgress at;
  bool finishes_locally;
};

TEST(FinishLocally, WhenTheRestIsPredictedToBeShorterHere) {
  const auto at = [](std::uint32_t done, double elapsed_s, std::uint32_t committed) {
    return RemoteProgress{.done_tokens = done,
                          .end_tokens = 10'000,
                          .piece_tokens = 1'000,
                          .elapsed_s = elapsed_s,
                          .committed_tokens = committed};
  };
  const Situation situations[] = {
      {"it has just begun", at(0, 0, 0), false},
      {"it keeps its pace", at(5'000, 5.5, 4'000), false},
      {"half its pace is still better", at(5'000, 12, 4'000), false},
      {"a tenth of its pace", at(5'000, 60, 5'000), true},
      {"silent from the start", at(0, 4.6, 0), true},
      {"silent for a while near the end", at(9'000, 9.9, 8'000), false},
      {"silent for long near the end", at(9'000, 60, 9'000), true},
      {"all is here", at(10'000, 500, 10'000), false},
      {"computed, stuck on the way, nearly all here", at(10'000, 500, 9'900), false},
  };
  for (const Situation& s : situations) {
    EXPECT_EQ(should_finish_locally(s.at, fast, slow), s.finishes_locally) << s.name;
    EXPECT_FALSE(should_finish_locally(s.at, {}, slow)) << s.name;
    EXPECT_FALSE(should_finish_locally(s.at, fast, {})) << s.name;
  }
}

// 12,000 tokens that it lacks, then 8,000 new ones: 20 s there, 32 s here.
TEST(FinishLocally, APrefixThatThePeerLacksIsNotSlowness) {
  const auto at = [](std::uint32_t done, double elapsed_s, double waiting_s) {
    return RemoteProgress{.first_token = 12'000, .prefix_s = 12, .done_tokens = done, .end_tokens = 20'000,
                          .piece_tokens = 1'000, .elapsed_s = elapsed_s, .received_tokens = done,
                          .transfer_token_s = 0.0001, .waiting_s = waiting_s, .committed_tokens = done};
  };
  const Situation situations[] = {
      {"in the middle of the prefix", at(12'000, 6, 6), false},
      {"the first new piece is due", at(12'000, 13, 13), false},
      {"half as fast as predicted", at(12'000, 24, 24), false},
      {"a fifth", at(12'000, 65, 65), true},
      {"the prefix is done, it keeps its pace", at(16'000, 17, 1), false},
      {"after the prefix it is silent", at(16'000, 75, 59), true},
  };
  for (const Situation& s : situations) {
    EXPECT_EQ(should_finish_locally(s.at, fast, slow), s.finishes_locally) << s.name;
  }
}

TEST(FinishLocally, WhenAllIsComputedAndTheLinkCrawls) {
  RemoteProgress at{.done_tokens = 10'000,
                    .end_tokens = 10'000,
                    .piece_tokens = 1'000,
                    .elapsed_s = 30,
                    .received_tokens = 2'000,
                    .transfer_token_s = 0.001,
                    .waiting_s = 0.5,
                    .committed_tokens = 2'000};
  EXPECT_FALSE(should_finish_locally(at, fast, slow));
  at.waiting_s = 10;
  EXPECT_TRUE(should_finish_locally(at, fast, slow));
}

TEST(FinishLocally, AQueueHereSpeaksForWaiting) {
  const RemoteProgress at{
      .done_tokens = 0, .end_tokens = 1'000, .piece_tokens = 1'000, .elapsed_s = 5};
  EXPECT_TRUE(should_finish_locally(at, fast, slow, 0));
  EXPECT_FALSE(should_finish_locally(at, fast, slow, 10));
}

}  // namespace
}  // namespace hearth::cluster
