#pragma once
// Whether a process that lives still works: one that does not answer, or that has been in one and the
// same step for longer than any step takes, counts as hung and is to be ended. Long before that it counts
// as stalled: nothing is done to it, but whoever asks is told. Its questions are answered beside the
// work, so a long step alone is no silence; what is long for a step is learned from those that ended.
//
// Not thread-safe. No clock, no process: the driver asks the process, and reports.

#include <optional>
#include <string>

#include "hearth/base/clock.h"

namespace hearth::cluster {

struct WatchdogParameters {
  Duration interval = std::chrono::seconds(2);         // between two questions
  Duration answer_max = std::chrono::seconds(2);       // that one is waited for
  Duration quiet_max = std::chrono::seconds(10);       // then it is stalled
  Duration silence_max = std::chrono::seconds(30);     // many questions: a busy machine answers late
  Duration step_usual_max = std::chrono::minutes(2);   // stalled, unless steps here were long before
  int step_growth_max = 4;                             // over the longest that ended: at depth they take longer
  Duration step_max = std::chrono::minutes(15);        // a batch at the end of a long prompt, on a slow machine
};

// What of it stands still, and since when.
struct Stall {
  enum class Part { process, engine };  // it does not answer; its step does not end
  Part part = Part::process;
  Instant since{};
  Duration longest_step{};  // of those that ended, as far as they were seen
};
const char* stall_part_name(Stall::Part part);
std::string stall_text(const Stall& stall, Instant now);  // for people

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
  // Nothing: it works, as far as is known.
  std::optional<Stall> stall(Instant now) const;

 private:
  Duration step_bound() const;

  const WatchdogParameters parameters_;
  Instant heard_;
  Instant ask_at_{};
  Duration step_{};          // when it was heard last
  Duration longest_step_{};  // that ended
};

}  // namespace hearth::cluster
