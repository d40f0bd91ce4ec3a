#include "tests/sim/request_run.h"

#include <gtest/gtest.h>

namespace hearth::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Kind = cluster::DecodeRunOver::Kind;

const Instant start = Instant(std::chrono::hours(1));
const Error died{Code::unavailable, "the worker has died"};

RequestRun fresh() { return RequestRun({}, start + seconds(100)); }

template <class Action>
Action expect(RequestRun& run, Instant now = start) {
  const RequestAction action = run.next(now);
  EXPECT_TRUE(std::holds_alternative<Action>(action)) << action.index();
  return std::holds_alternative<Action>(action) ? std::get<Action>(action) : Action{};
}

void answer(RequestRun& run, const std::vector<std::int32_t>& tokens, TokenVerdict verdict,
            std::uint32_t from = 0) {
  for (std::uint32_t i = 0; i < tokens.size(); ++i)
    EXPECT_EQ(run.on_token(from + i, tokens[i]), verdict) << i;
}

TEST(RequestRun, ChoosesGeneratesAndEnds) {
  RequestRun run = fresh();
  expect<ChooseWay>(run);
  expect<WaitRequest>(run);
  run.on_chosen({});
  EXPECT_EQ(expect<GenerateAnswer>(run).answer, 1u);
  answer(run, {5, 6, 7}, TokenVerdict::emit);
  run.on_generated();
  EXPECT_FALSE(expect<RequestOver>(run).error);
}

TEST(RequestRun, TakesTheNextBestWhenAPeerIsBusyAndComputesHereAfterThree) {
  RequestRun run = fresh();
  for (const char* peer : {"a", "b", "c"}) {
    expect<ChooseWay>(run);
    run.on_chosen(peer);
    EXPECT_EQ(expect<StartHandOff>(run).peer, peer);
    run.on_hand_off_over({.kind = Kind::busy, .reason = "busy"}, start);
  }
  EXPECT_EQ(run.tried_peers(), (std::set<std::string>{"a", "b", "c"}));
  expect<ChooseWay>(run);
  run.on_chosen("d");
  expect<GenerateAnswer>(run);
}

TEST(RequestRun, GoesOnFromWhatWasCommittedWhenAPeerFails) {
  RequestRun run = fresh();
  expect<ChooseWay>(run);
  run.on_chosen("a");
  expect<StartHandOff>(run);
  run.on_hand_off_over({.kind = Kind::compute_rest, .committed_tokens = 4'096, .reason = "silent"},
                       start);
  EXPECT_EQ(run.committed_tokens(), 4'096u);
  expect<GenerateAnswer>(run);
}

TEST(RequestRun, AnAnswerBegunAgainIsComparedAndNotRepeated) {
  RequestRun run = fresh();
  expect<ChooseWay>(run);
  run.on_chosen({});
  expect<GenerateAnswer>(run);
  answer(run, {5, 6, 7}, TokenVerdict::emit);
  run.on_decode_lost(died, start);
  EXPECT_EQ(expect<WaitRequest>(run).until, start + milliseconds(200));
  expect<ChooseWay>(run, start + milliseconds(200));
  run.on_chosen({});
  EXPECT_EQ(expect<GenerateAnswer>(run, start + milliseconds(200)).answer, 2u);
  answer(run, {5, 6, 7}, TokenVerdict::repeat);
  answer(run, {8}, TokenVerdict::emit, 3);
  run.on_generated();
  EXPECT_FALSE(expect<RequestOver>(run).error);
}

struct BadAnswer {
  const char* name;
  std::vector<std::int32_t> again;
  std::uint32_t from;
  const char* says;
};

TEST(RequestRun, AnAnswerThatComesOutDifferentlyIsAnError) {
  const BadAnswer bad[] = {
      {"another token", {5, 9}, 0, "differs at token 1"},
      {"shorter", {5}, 0, "is shorter"},
      {"a gap", {7}, 2, "came where 0 was expected"},
  };
  for (const BadAnswer& b : bad) {
    RequestRun run = fresh();
    expect<ChooseWay>(run);
    run.on_chosen({});
    expect<GenerateAnswer>(run);
    answer(run, {5, 6}, TokenVerdict::emit);
    run.on_decode_lost(died, start);
    expect<ChooseWay>(run, start + seconds(1));
    run.on_chosen({});
    expect<GenerateAnswer>(run, start + seconds(1));
    for (std::uint32_t i = 0; i < b.again.size(); ++i) (void)run.on_token(b.from + i, b.again[i]);
    run.on_generated();
    RequestAction action = run.next(start + seconds(1));
    if (std::holds_alternative<AbortWork>(action)) action = run.next(start + seconds(1));
    ASSERT_TRUE(std::holds_alternative<RequestOver>(action)) << b.name;
    const auto error = std::get<RequestOver>(action).error;
    ASSERT_TRUE(error) << b.name;
    EXPECT_NE(error->message.find(b.says), std::string::npos) << error->message;
  }
}

TEST(RequestRun, GivesUpAfterThreeLostAnswersAndSaysWhy) {
  RequestRun run = fresh();
  Instant now = start;
  for (int i = 0; i < 3; ++i) {
    expect<ChooseWay>(run, now);
    run.on_chosen({});
    expect<GenerateAnswer>(run, now);
    run.on_decode_lost(died, now);
    now += seconds(5);
  }
  RequestAction action = run.next(now);
  if (std::holds_alternative<AbortWork>(action)) action = run.next(now);
  EXPECT_EQ(std::get<RequestOver>(action).error->message,
            "given up after 3 tries: the worker has died");
}

TEST(RequestRun, WaitsForAMachineThatIsStartingUntilTheDeadline) {
  RequestRun run = fresh();
  Instant now = start;
  int choices = 0;
  while (true) {
    const RequestAction action = run.next(now);
    if (const auto* over = std::get_if<RequestOver>(&action)) {
      ASSERT_TRUE(over->error);
      EXPECT_EQ(over->error->code, Code::timed_out);
      EXPECT_NE(over->error->message.find("is being started"), std::string::npos);
      break;
    }
    if (std::holds_alternative<ChooseWay>(action)) {
      ++choices;
      run.on_cannot_choose({Code::unavailable, "its worker is being started"}, now);
    } else {
      now = std::get<WaitRequest>(action).until;
    }
  }
  EXPECT_EQ(now, start + seconds(100));
  EXPECT_GT(choices, 20);
  EXPECT_LT(choices, 100);
}

TEST(RequestRun, ANewAnswerMayAskEveryPeerAgain) {
  RequestRun run = fresh();
  expect<ChooseWay>(run);
  run.on_chosen("a");
  EXPECT_EQ(expect<StartHandOff>(run).attempt, 1u);
  run.on_hand_off_over({.kind = Kind::worker_lost, .reason = "the worker has died"}, start);
  expect<AbortWork>(run);
  expect<WaitRequest>(run);
  EXPECT_TRUE(run.tried_peers().empty());
  expect<ChooseWay>(run, start + seconds(1));
  run.on_chosen("a");
  EXPECT_EQ(expect<StartHandOff>(run, start + seconds(1)).attempt, 2u);
}

TEST(RequestRun, StopsWhateverRunsWhenTheClientLeavesOrTimeIsUp) {
  for (const bool leaves : {true, false}) {
    RequestRun run = fresh();
    expect<ChooseWay>(run);
    run.on_chosen("a");
    expect<StartHandOff>(run);
    const Instant now = leaves ? start : start + seconds(100);
    if (leaves) run.cancel();
    expect<AbortWork>(run, now);
    EXPECT_EQ(expect<RequestOver>(run, now).error->code,
              leaves ? Code::cancelled : Code::timed_out);
    EXPECT_EQ(run.on_token(0, 1), TokenVerdict::refused);
  }
}

}  // namespace
}  // namespace hearth::sim
