#pragma once
// A named thread that joins in its destructor. There are no detached threads.
// docs/threads.md lists every name.

#include <pthread.h>

#include <cstddef>
#include <functional>
#include <string>

#include "hearth/base/result.h"

namespace hearth {

class Thread {
 public:
  Thread() = default;
  // `name` shows in the debugger and in top; the system keeps its first 15 characters.
  // A thread that cannot be started is fatal here; see start.
  Thread(std::string name, std::function<void()> body);
  // For threads whose number clients decide: resource_exhausted when the system has no more.
  // `stack_bytes` 0 takes the system's default (8 MiB on Linux, 512 KiB on macOS).
  static Result<Thread> start(std::string name, std::function<void()> body,
                              std::size_t stack_bytes = 0);
  Thread(Thread&& other) noexcept;
  Thread& operator=(Thread&& other) noexcept;
  ~Thread() { join(); }

  void join();
  bool joinable() const { return joinable_; }

 private:
  pthread_t thread_{};
  bool joinable_ = false;
};

}  // namespace hearth
