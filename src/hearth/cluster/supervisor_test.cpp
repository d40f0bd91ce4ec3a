#include "hearth/cluster/supervisor.h"

#include <gtest/gtest.h>

namespace hearth::cluster {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

struct Supervised {
  Supervisor supervisor;
  Instant now{};

  // Starts it as soon as it may be started, lets it live, ends it; the pause before the start.
  Duration live(Duration life, bool gets_ready = true) {
    const Instant before = now;
    if (const auto* pause = [&]() -> const PauseUntil* {
          action = supervisor.next(now);
          return std::get_if<PauseUntil>(&action);
        }()) {
      now = pause->when;
      action = supervisor.next(now);
    }
    EXPECT_TRUE(std::holds_alternative<StartProcess>(action));
    const Duration waited = now - before;
    if (gets_ready) supervisor.on_running();
    EXPECT_TRUE(std::holds_alternative<Watch>(supervisor.next(now)));
    now += life;
    supervisor.on_ended("ended by signal 6", now);
    return waited;
  }
  SupervisorAction action;
};

TEST(Supervisor, PausesLongerAfterEachEndUpToItsLimit) {
  Supervised s;
  std::vector<Duration> pauses;
  for (int i = 0; i < 10; ++i) pauses.push_back(s.live(seconds(1)));
  const std::vector<Duration> expected = {
      milliseconds(0), milliseconds(0), milliseconds(500), seconds(1),  seconds(2),
      seconds(4),      seconds(8),      seconds(16),       seconds(30), seconds(30)};
  EXPECT_EQ(pauses, expected);
  EXPECT_EQ(s.supervisor.restarts(), 9u);
}

TEST(Supervisor, StartsAtOnceAgainAfterALongLife) {
  Supervised s;
  for (int i = 0; i < 6; ++i) s.live(seconds(1));
  s.live(seconds(61));
  EXPECT_EQ(s.live(seconds(1)), Duration::zero());
  EXPECT_EQ(s.live(seconds(1)), milliseconds(500));
}

TEST(Supervisor, ALongStartThatNeverGotReadyIsNoLongLife) {
  Supervised s;
  for (int i = 0; i < 4; ++i) s.live(seconds(1));
  s.live(seconds(600), /*gets_ready=*/false);
  EXPECT_EQ(s.live(seconds(1)), seconds(4));
}

TEST(Supervisor, KeepsTheLastReportsAndTheEndOfWhatWasPrinted) {
  Supervised s;
  for (int i = 0; i < 20; ++i) s.live(seconds(1), i != 19);
  ASSERT_EQ(s.supervisor.crash_reports().size(), crash_reports_max);
  EXPECT_EQ(s.supervisor.crash_reports().front().life, 4u);
  EXPECT_FALSE(s.supervisor.crash_reports().back().was_running);
  EXPECT_TRUE(s.supervisor.crash_reports().front().was_running);
  EXPECT_EQ(s.supervisor.crash_reports().back().lived, Duration(seconds(1)));

  Supervisor talkative;
  (void)talkative.next(Instant{});
  talkative.on_ended(std::string(10'000, 'a') + "the end", Instant{});
  EXPECT_EQ(talkative.crash_reports().back().how.size(), crash_text_bytes_max);
  EXPECT_TRUE(talkative.crash_reports().back().how.ends_with("the end"));
}

}  // namespace
}  // namespace hearth::cluster
