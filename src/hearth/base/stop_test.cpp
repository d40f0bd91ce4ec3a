#include "hearth/base/stop.h"

#include <gtest/gtest.h>
#include <poll.h>

#include "hearth/base/thread.h"

namespace hearth {
namespace {

TEST(Stop, FiresOnceAndWakesLaterCallbacksAtOnce) {
  StopSource source;
  int calls = 0;
  const StopCallback early(source.token(), [&] { ++calls; });
  source.request_stop();
  source.request_stop();
  const StopCallback late(source.token(), [&] { ++calls; });
  EXPECT_EQ(calls, 2);
  EXPECT_TRUE(source.token().stop_requested());
}

TEST(Stop, DroppedCallbackDoesNotRun) {
  StopSource source;
  int calls = 0;
  { const StopCallback gone(source.token(), [&] { ++calls; }); }
  source.request_stop();
  EXPECT_EQ(calls, 0);
}

TEST(Stop, DefaultTokenNeverFires) {
  const StopToken token;
  EXPECT_FALSE(token.stop_requested());
  EXPECT_EQ(StopDescriptor(token).fd(), -1);
}

TEST(Stop, DescriptorWakesPoll) {
  StopSource source;
  const StopDescriptor descriptor(source.token());
  Thread stopper("stopper", [&] { source.request_stop(); });
  pollfd wait{descriptor.fd(), POLLIN, 0};
  EXPECT_EQ(::poll(&wait, 1, 10'000), 1);
}

}  // namespace
}  // namespace hearth
