#pragma once
// When to start a process again: at once the first time it ends, then after pauses that double up
// to a limit, and at once again after a life that was long enough to show that starting it is not
// what kills it. Keeps the last reports of how it ended.
//
// Not thread-safe. No clock, no process: the driver asks next(), acts, reports.

#include <cstdint>
#include <deque>
#include <string>
#include <variant>

#include "hearth/base/clock.h"

namespace hearth::cluster {

inline constexpr std::size_t crash_reports_max = 16;
inline constexpr std::size_t crash_text_bytes_max = 4'096;

struct SupervisorParameters {
  Duration pause_first = std::chrono::milliseconds(500);  // after the second end in a row
  Duration pause_max = std::chrono::seconds(30);
  Duration long_life = std::chrono::seconds(60);
};

struct CrashReport {
  std::uint32_t life = 0;
  Duration lived{};
  bool was_running = false;  // false: it did not get so far as to be ready
  std::string how;           // "ended by signal 6", with the end of what it printed
};

// Start it; report on_running() or on_ended().
struct StartProcess {
  std::uint32_t life;  // 0, 1, ...
};
struct PauseUntil {
  Instant when;
};
struct Watch {};  // it starts or runs: wait for its end
using SupervisorAction = std::variant<StartProcess, PauseUntil, Watch>;

class Supervisor {
 public:
  explicit Supervisor(SupervisorParameters parameters = {}) : parameters_(parameters) {}

  // StartProcess counts as done once it was returned.
  SupervisorAction next(Instant now);
  void on_running();
  void on_ended(std::string how, Instant now);

  bool is_running() const { return state_ == State::running; }
  std::uint32_t restarts() const { return lives_ == 0 ? 0 : lives_ - 1; }
  const std::deque<CrashReport>& crash_reports() const { return reports_; }

 private:
  enum class State : std::uint8_t { down, starting, running };

  SupervisorParameters parameters_;
  State state_ = State::down;
  std::uint32_t lives_ = 0;
  std::uint32_t ends_in_a_row_ = 0;
  Instant started_{}, not_before_{};
  std::deque<CrashReport> reports_;
};

}  // namespace hearth::cluster
