#pragma once
// A number of places that are taken one by one and given back by whoever forgets what it got, such as room for large
// bodies. Thread-safe; copies share the places, and what was taken may outlive them all.

#include <atomic>
#include <cstdint>
#include <memory>

namespace hearth {

class Places {
 public:
  explicit Places(std::int64_t count) : free_(std::make_shared<std::atomic<std::int64_t>>(count)) {}

  // nullptr: none is free.
  std::shared_ptr<void> take() const {
    if (free_->fetch_sub(1) > 0) return {free_.get(), [free = free_](void*) { free->fetch_add(1); }};
    free_->fetch_add(1);
    return nullptr;
  }

 private:
  std::shared_ptr<std::atomic<std::int64_t>> free_;
};

}  // namespace hearth
