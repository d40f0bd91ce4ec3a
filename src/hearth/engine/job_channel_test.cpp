#include <gtest/gtest.h>

#include "hearth/engine/engine_thread.h"
#include "tests/support/scripted_engine.h"

namespace hearth::engine {
namespace {

constexpr std::uint64_t bytes_max = 1'000;

StateDone state(std::size_t bytes) {
  return {.range = {0, 1}, .blob = Buffer::create(bytes).value()};
}

struct Channel {
  int wakes = 0;
  JobChannel channel{64, [this] { ++wakes; }, bytes_max};
  JobEvent next() { return channel.next(Deadline::after(std::chrono::seconds(1)), {}).value(); }
};

TEST(JobChannel, UnreadKvIsBoundedByItsBytes) {
  Channel one;
  one.channel.push(state(600));
  EXPECT_TRUE(one.channel.has_room());
  one.channel.push(state(600));
  EXPECT_FALSE(one.channel.has_room());
  one.next();
  EXPECT_TRUE(one.channel.has_room());
  EXPECT_EQ(one.wakes, 1);
  one.next();
  EXPECT_EQ(one.wakes, 1);  // there was room already
}

TEST(JobChannel, APieceThatAloneIsLargerThanTheBoundPasses) {
  Channel one;
  one.channel.push(state(5'000));
  EXPECT_FALSE(one.channel.has_room());
  one.channel.push(Finished{});  // the last event always fits
  EXPECT_TRUE(std::holds_alternative<StateDone>(one.next()));
  EXPECT_TRUE(one.channel.has_room());
  EXPECT_TRUE(std::holds_alternative<Finished>(one.next()));
}

TEST(JobChannel, UnreadLogitsCountToo) {
  Channel one;
  one.channel.push(LogitsDone{.first = 1, .rows = std::vector<float>(300)});
  EXPECT_FALSE(one.channel.has_room());
}

TEST(EngineThread, SaysHowLongItHasBeenInOneStep) {
  EngineThread thread(std::make_unique<testing::ScriptedEngine>(EngineLimits{
                          .context_tokens = 100, .batch_tokens = 10, .ubatch_tokens = 10, .sequences = 1, .vocabulary = 1000}),
                      {});
  Duration inside{};
  ASSERT_TRUE(thread.call(
      [&](Scheduler&) -> Result<> {
        const Deadline enough = Deadline::after(std::chrono::seconds(20));
        while (inside < std::chrono::milliseconds(20) && !enough.passed()) inside = thread.busy_for();
        return {};
      },
      Deadline::after(std::chrono::seconds(20))));
  EXPECT_GE(inside, std::chrono::milliseconds(20));
  const Deadline enough = Deadline::after(std::chrono::seconds(20));
  while (thread.busy_for() > Duration::zero() && !enough.passed()) {
  }
  EXPECT_EQ(thread.busy_for(), Duration::zero());  // it waits for work
}

}  // namespace
}  // namespace hearth::engine
