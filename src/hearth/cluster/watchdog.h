#pragma once
// Whether a process that lives still works: one that does not answer, or that has been in one and the
// same step for longer than any step takes, counts as hung and is to be ended. Its questions are
// answered beside the work, so a long step alone is no silence.
//
// Not thread-safe. No clock, no process: the driver asks the process, and reports.

#include <optional>
#include <string>

#include "hearth/base/clock.h"

namespace hearth::cluster {

struct WatchdogParameters {
  Duration interval = std::chrono::seconds(2);         // between two questions
  Duration answer_max = std::chrono::seconds(2);       // that one is waited for
  Duration silence_max = std::chrono::seconds(30);     // many questions: a busy machine answers late
  Duration step_max = std::chrono::minutes(15);        // a batch at the end of a long prompt, on a slow machine
};

class Watchdog {
 public:
  // It answered just now.
  Watchdog(const WatchdogParameters& parameters, Instant now) : parameters_(parameters), heard_(now) {}

  bool is_due(Instant now) const { return now >= ask_at_; }
  // `step`: how long it has been in what it does; zero when it waits for work.
  void on_answer(Duration step, Instant now);
  void on_no_answer(Instant now) { ask_at_ = now + parameters_.interval; }

  // Why it counts as hung; nothing: it does not.
  std::optional<std::string> fault(Instant now) const;

 private:
  const WatchdogParameters parameters_;
  Instant heard_;
  Instant ask_at_{};
  Duration step_{};
};

}  // namespace hearth::cluster
