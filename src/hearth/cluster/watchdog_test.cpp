#include "hearth/cluster/watchdog.h"

#include <gtest/gtest.h>

namespace hearth::cluster {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

const Instant start = Instant(std::chrono::hours(1));
const WatchdogParameters parameters;

TEST(Watchdog, AsksAtOnceAndThenAtIntervals) {
  Watchdog watchdog(parameters, start);
  EXPECT_TRUE(watchdog.is_due(start));
  watchdog.on_answer({}, start);
  EXPECT_FALSE(watchdog.is_due(start));
  EXPECT_TRUE(watchdog.is_due(start + parameters.interval));
  watchdog.on_no_answer(start + parameters.interval);
  EXPECT_FALSE(watchdog.is_due(start + parameters.interval));
}

TEST(Watchdog, OneLostAnswerIsNoSilence) {
  Watchdog watchdog(parameters, start);
  watchdog.on_no_answer(start + seconds(4));
  EXPECT_FALSE(watchdog.fault(start + seconds(29)));
  watchdog.on_answer({}, start + seconds(29));
  EXPECT_FALSE(watchdog.fault(start + seconds(58)));
}

TEST(Watchdog, WhatDoesNotAnswerIsHungAndTheFaultSaysForHowLong) {
  Watchdog watchdog(parameters, start);
  watchdog.on_answer({}, start + seconds(10));
  const auto fault = watchdog.fault(start + seconds(41));
  ASSERT_TRUE(fault);
  EXPECT_EQ(*fault, "hung: it did not answer for 31.0 s");
}

TEST(Watchdog, ALongStepIsWaitedForAndAnEndlessOneIsNot) {
  Watchdog watchdog(parameters, start);
  watchdog.on_answer(minutes(10), start);
  EXPECT_FALSE(watchdog.fault(start));
  watchdog.on_answer(minutes(16), start);
  const auto fault = watchdog.fault(start);
  ASSERT_TRUE(fault);
  EXPECT_EQ(*fault, "hung: its engine has been in one step for 960.0 s");
  watchdog.on_answer({}, start);  // it came to an end after all
  EXPECT_FALSE(watchdog.fault(start));
}

TEST(Watchdog, WhatDoesNotAnswerIsStalledBeforeItCountsAsHung) {
  Watchdog watchdog(parameters, start);
  watchdog.on_answer({}, start + seconds(4));
  watchdog.on_no_answer(start + seconds(13));
  EXPECT_FALSE(watchdog.stall(start + seconds(13)));
  const auto stall = watchdog.stall(start + seconds(16));
  ASSERT_TRUE(stall);
  EXPECT_EQ(stall->part, Stall::Part::process);
  EXPECT_EQ(stall->since, start + seconds(4));
  EXPECT_EQ(stall_text(*stall, start + seconds(16)), "it has not answered for 12.0 s");
  EXPECT_FALSE(watchdog.fault(start + seconds(16)));
  watchdog.on_answer({}, start + seconds(17));
  EXPECT_FALSE(watchdog.stall(start + seconds(17)));
}

TEST(Watchdog, AStepThatDoesNotEndIsAStallOfTheEngine) {
  Watchdog watchdog(parameters, start);
  watchdog.on_answer(seconds(119), start + seconds(119));
  EXPECT_FALSE(watchdog.stall(start + seconds(119)));
  watchdog.on_answer(seconds(130), start + seconds(130));
  const auto stall = watchdog.stall(start + seconds(132));
  ASSERT_TRUE(stall);
  EXPECT_EQ(stall->part, Stall::Part::engine);
  EXPECT_EQ(stall->since, start);
  EXPECT_EQ(stall_text(*stall, start + seconds(132)),
            "its engine has been in one step for 132.0 s; the longest before took 0.0 s");
  watchdog.on_answer(seconds(1), start + seconds(134));  // the next one
  EXPECT_FALSE(watchdog.stall(start + seconds(134)));
}

// A machine that takes a minute for a slice may take minutes for one at the end of a long prompt.
TEST(Watchdog, WhatIsLongForAStepIsLearnedFromThoseThatEnded) {
  Watchdog watchdog(parameters, start);
  Instant now = start;
  for (const int step_s : {50, 60, 70}) {
    now += seconds(step_s);
    watchdog.on_answer(seconds(step_s), now);
    now += seconds(2);
    watchdog.on_answer(seconds(1), now);
  }
  watchdog.on_answer(seconds(279), now + seconds(278));
  EXPECT_FALSE(watchdog.stall(now + seconds(278)));
  watchdog.on_answer(seconds(280), now + seconds(279));
  const auto stall = watchdog.stall(now + seconds(279));
  ASSERT_TRUE(stall);
  EXPECT_EQ(stall->longest_step, Duration(seconds(70)));
}

// Looked at again and again, one step is one step.
TEST(Watchdog, AStepThatRunsIsNoMeasureForItself) {
  Watchdog watchdog(parameters, start);
  for (int at_s = 2; at_s <= 200; at_s += 2) watchdog.on_answer(seconds(at_s), start + seconds(at_s));
  const auto stall = watchdog.stall(start + seconds(200));
  ASSERT_TRUE(stall);
  EXPECT_EQ(stall->longest_step, Duration::zero());
}

}  // namespace
}  // namespace hearth::cluster
