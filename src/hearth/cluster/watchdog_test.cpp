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

}  // namespace
}  // namespace hearth::cluster
