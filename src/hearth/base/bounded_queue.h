#pragma once
// A bounded queue between threads. A full queue is the caller's answer, never growth.
// Thread-safe; any number of producers and consumers. After close(), pushes are refused and pops
// drain what is left.

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>
#include <optional>
#include <utility>

#include "hearth/base/check.h"
#include "hearth/base/clock.h"

namespace hearth {

template <class T>
class BoundedQueue {
 public:
  explicit BoundedQueue(std::size_t capacity) : capacity_(capacity) { CHECK(capacity > 0); }

  // False when full or closed; `item` is then untouched.
  bool try_push(T&& item) {
    {
      const std::lock_guard hold(mutex_);
      if (closed_ || items_.size() >= capacity_) return false;
      items_.push_back(std::move(item));
    }
    not_empty_.notify_one();
    return true;
  }

  // Waits for room. False when closed or when the deadline passes.
  bool push(T&& item, Deadline deadline) {
    std::unique_lock hold(mutex_);
    if (!wait(not_full_, hold, deadline, [&] { return closed_ || items_.size() < capacity_; }))
      return false;
    if (closed_) return false;
    items_.push_back(std::move(item));
    hold.unlock();
    not_empty_.notify_one();
    return true;
  }

  // Nothing when closed and drained, or when the deadline passes.
  std::optional<T> pop(Deadline deadline) {
    std::unique_lock hold(mutex_);
    if (!wait(not_empty_, hold, deadline, [&] { return closed_ || !items_.empty(); })) return {};
    return take(hold);
  }

  std::optional<T> try_pop() {
    std::unique_lock hold(mutex_);
    return take(hold);
  }

  void close() {
    {
      const std::lock_guard hold(mutex_);
      closed_ = true;
    }
    not_empty_.notify_all();
    not_full_.notify_all();
  }

  bool closed_and_empty() const {
    const std::lock_guard hold(mutex_);
    return closed_ && items_.empty();
  }
  bool closed() const {
    const std::lock_guard hold(mutex_);
    return closed_;
  }
  std::size_t size() const {
    const std::lock_guard hold(mutex_);
    return items_.size();
  }
  std::size_t capacity() const { return capacity_; }

 private:
  template <class Ready>
  static bool wait(std::condition_variable& condition, std::unique_lock<std::mutex>& hold,
                   Deadline deadline, Ready ready) {
    if (deadline.is_never()) {
      condition.wait(hold, ready);
      return true;
    }
    return condition.wait_until(hold, deadline.when(), ready);
  }

  std::optional<T> take(std::unique_lock<std::mutex>& hold) {
    if (items_.empty()) return {};
    std::optional<T> item(std::move(items_.front()));
    items_.pop_front();
    hold.unlock();
    not_full_.notify_one();
    return item;
  }

  const std::size_t capacity_;
  mutable std::mutex mutex_;
  std::condition_variable not_empty_;
  std::condition_variable not_full_;
  std::deque<T> items_;
  bool closed_ = false;
};

}  // namespace hearth
