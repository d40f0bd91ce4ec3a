#include "hearth/base/bounded_queue.h"

#include <gtest/gtest.h>

#include <memory>
#include <numeric>
#include <vector>

#include "hearth/base/thread.h"

namespace hearth {
namespace {

TEST(BoundedQueue, RefusesWhenFullAndKeepsTheItem) {
  BoundedQueue<std::unique_ptr<int>> queue(1);
  ASSERT_TRUE(queue.try_push(std::make_unique<int>(1)));
  auto second = std::make_unique<int>(2);
  EXPECT_FALSE(queue.try_push(std::move(second)));
  EXPECT_NE(second, nullptr);
}

TEST(BoundedQueue, PopTimesOut) {
  BoundedQueue<int> queue(1);
  EXPECT_FALSE(queue.pop(Deadline::after(std::chrono::milliseconds(1))));
}

TEST(BoundedQueue, CloseDrainsThenEnds) {
  BoundedQueue<int> queue(4);
  ASSERT_TRUE(queue.try_push(7));
  queue.close();
  EXPECT_FALSE(queue.try_push(8));
  EXPECT_EQ(queue.pop(Deadline::never()), 7);
  EXPECT_FALSE(queue.pop(Deadline::never()));
}

TEST(BoundedQueue, PassesEverythingBetweenThreads) {
  constexpr int count = 2000;
  BoundedQueue<int> queue(3);
  long sum = 0;
  Thread consumer("consumer", [&] {
    while (auto item = queue.pop(Deadline::never())) sum += *item;
  });
  for (int i = 1; i <= count; ++i) ASSERT_TRUE(queue.push(int(i), Deadline::never()));
  queue.close();
  consumer.join();
  EXPECT_EQ(sum, long{count} * (count + 1) / 2);
}

}  // namespace
}  // namespace hearth
