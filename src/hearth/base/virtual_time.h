#pragma once
// The time of simulations: nothing waits, what is scheduled happens in the order of its moments, and in that of its
// scheduling where those are the same. One thread.

#include <algorithm>
#include <cstdint>
#include <functional>
#include <queue>
#include <tuple>
#include <utility>
#include <vector>

#include "hearth/base/check.h"
#include "hearth/base/clock.h"

namespace hearth {

class VirtualTime final : public Clock {
 public:
  using Event = std::function<void()>;
  explicit VirtualTime(Instant begin = {}) : now_(begin) {}

  Instant now() const override { return now_; }
  // At once where the delay is negative.
  void after(Duration delay, Event event) {
    scheduled_.push({now_ + std::max(delay, Duration::zero()), ++order_, std::move(event)});
  }
  bool is_over() const { return scheduled_.empty(); }
  // Goes to the next event, and lets it happen.
  void step() {
    CHECK(!is_over());
    const Scheduled next = scheduled_.top();
    scheduled_.pop();
    now_ = next.at;
    next.event();
  }

 private:
  struct Scheduled {
    Instant at;
    std::uint64_t order;
    Event event;
    bool operator<(const Scheduled& other) const { return std::tie(at, order) > std::tie(other.at, other.order); }
  };

  Instant now_;
  std::uint64_t order_ = 0;
  std::priority_queue<Scheduled> scheduled_;
};

}  // namespace hearth
