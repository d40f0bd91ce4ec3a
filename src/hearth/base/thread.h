#pragma once
// A named thread that joins in its destructor. There are no detached threads.
// docs/threads.md lists every name.

#include <functional>
#include <string>
#include <thread>

namespace hearth {

class Thread {
 public:
  Thread() = default;
  // `name` shows in the debugger and in top; the system keeps its first 15 characters.
  Thread(std::string name, std::function<void()> body);
  Thread(Thread&&) noexcept = default;
  Thread& operator=(Thread&& other) noexcept;
  ~Thread() { join(); }

  void join();
  bool joinable() const { return thread_.joinable(); }

 private:
  std::thread thread_;
};

}  // namespace hearth
