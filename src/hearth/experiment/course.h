#pragma once
// The course of an experiment as a state machine over its journal: what has happened is a list of
// events, what to do next follows from the design and that list. No I/O, no clock.

#include "hearth/base/digest.h"
#include "hearth/experiment/design.h"

namespace hearth::experiment {

// One line of the journal. Only what is needed to go on; results lie beside it.
struct Event {
  enum class Kind : std::uint8_t {
    phase_started,  // phase; digest of its predictions
    step_started,   // step; digest of what it does
    step_ended,     // step; exit, seconds, digest of its document
    gate_judged,    // phase; open, text: why
    decided,        // text
  };
  Kind kind = Kind::phase_started;
  std::int64_t at_s = 0;  // since 1970
  std::string phase, step, text;
  std::string digest;  // SHA-256, hexadecimal
  int exit = 0;
  double seconds = 0;
  bool open = false;
  bool operator==(const Event&) const = default;
};
Json event_json(const Event& event);
Result<Event> parse_event(std::string_view line);

// What is put into the journal before a step, and a phase, begins: neither can be changed afterwards.
std::string step_digest(const StepDesign& step);
std::string predictions_digest(const PhaseDesign& phase);

enum class StepState : std::uint8_t { waiting, running, done, failed };
enum class PhaseState : std::uint8_t { waiting, running, failed, closed, done };
std::string_view step_state_name(StepState state);
std::string_view phase_state_name(PhaseState state);

struct StepStatus {
  StepState state = StepState::waiting;
  int exit = 0;
  double seconds = 0;
  std::string digest;
  std::int64_t ended_s = 0;
};

struct PhaseStatus {
  PhaseState state = PhaseState::waiting;
  std::string predictions_digest;
  std::int64_t started_s = 0;
  bool gate_judged = false, gate_open = false;
  std::string gate_why;
  std::vector<StepStatus> steps;  // in the order of the design
};

struct Action {
  enum class Kind : std::uint8_t { start_phase, run_step, judge_gate, decide, nothing };
  Kind kind = Kind::nothing;
  std::size_t phase = 0, step = 0;
  std::string why;  // of nothing: "done", or what stopped it
  bool operator==(const Action&) const = default;
};

class Course {
 public:
  // `design` outlives it.
  explicit Course(const Design& design);
  // invalid_argument for an event that cannot follow, or that is of another design.
  Result<> apply(const Event& event);
  Action next() const;
  const std::vector<PhaseStatus>& phases() const { return phases_; }
  const std::string& decision() const { return decision_; }
  // A failed step, or a closed gate, may be tried again.
  void forget_failures();

 private:
  Result<std::size_t> phase_called(std::string_view name) const;
  Result<StepStatus*> step_called(std::string_view name, const StepDesign*& design);
  const Design& design_;
  std::vector<PhaseStatus> phases_;
  std::string decision_;
};

// What the results say of a gate, in words: "open", or each condition that does not hold.
struct GateJudgement {
  bool open = false;
  std::string why;
};
GateJudgement judge_gate(const PhaseDesign& phase, const Results& results);
std::string decide(const Design& design, const Results& results);

}  // namespace hearth::experiment
