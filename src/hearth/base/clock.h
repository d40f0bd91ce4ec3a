#pragma once
// Time as a parameter: code that waits takes a Deadline, code that reads the time takes a Clock.
// Only durations cross machines; an Instant means nothing outside its process.

#include <chrono>
#include <optional>

namespace hearth {

using Duration = std::chrono::nanoseconds;
using Instant = std::chrono::steady_clock::time_point;

class Clock {
 public:
  virtual ~Clock() = default;
  virtual Instant now() const = 0;
};

class SteadyClock final : public Clock {
 public:
  Instant now() const override { return std::chrono::steady_clock::now(); }
};

// A clock that tests move by hand.
class ManualClock final : public Clock {
 public:
  Instant now() const override { return now_; }
  void advance(Duration by) { now_ += by; }

 private:
  Instant now_{};
};

// When a blocking call gives up. `never` is for calls that a StopToken ends.
class Deadline {
 public:
  static Deadline never() { return Deadline(Instant::max()); }
  static Deadline at(Instant when) { return Deadline(when); }
  static Deadline after(Duration delay) { return Deadline(std::chrono::steady_clock::now() + delay); }

  Instant when() const { return when_; }
  bool is_never() const { return when_ == Instant::max(); }
  bool passed() const { return !is_never() && std::chrono::steady_clock::now() >= when_; }
  // What is left, for poll(2): -1 = for ever, 0 = passed, otherwise rounded up.
  int poll_timeout_ms() const;

 private:
  explicit Deadline(Instant when) : when_(when) {}
  Instant when_;
};

inline double seconds(Duration d) { return std::chrono::duration<double>(d).count(); }
inline double milliseconds(Duration d) {
  return std::chrono::duration<double, std::milli>(d).count();
}

}  // namespace hearth
