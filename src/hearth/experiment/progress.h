#pragma once
// How far an experiment is, from its ledger alone, and what comes next. Pure state machine: the
// same events give the same progress, whatever was killed in between.

#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "hearth/experiment/ledger.h"
#include "hearth/experiment/spec.h"

namespace hearth::experiment {

enum class StepState : std::uint8_t {
  pending,      // never ended; `attempts` says whether it was begun
  done,         // has a result
  failed,       // ended without one
  is_void,      // had a result that does not count any more
};
std::string_view state_name(StepState state);

struct StepProgress {
  StepState state = StepState::pending;
  std::uint32_t attempts = 0;        // begun so far
  std::uint32_t result_attempt = 0;  // done: whose result counts
  int exit_code = 0;
  double seconds = 0;
  std::string why;            // failed, void
  std::string output_digest;  // done
  std::string definition_digest;
  bool is_changed = false;    // done, but the file now says another command
  std::string ended_at;
};

enum class PhaseState : std::uint8_t { waiting, running, passed, closed };
std::string_view state_name(PhaseState state);

struct PhaseProgress {
  PhaseState state = PhaseState::waiting;
  std::vector<StepProgress> steps;  // as in the spec
  std::optional<bool> gate_open;    // absent: not judged yet
  std::vector<std::string> gate_why;
  std::string opened_because;       // a closed gate that a person opened
  std::string began_at, predictions_digest;
  bool are_predictions_changed = false;  // since the phase began
};

struct Progress {
  std::vector<PhaseProgress> phases;  // as in the spec
  // Files that are watched, with the fingerprints that all results so far are of.
  std::vector<std::pair<std::string, std::string>> files_seen;
  bool is_running_elsewhere = false;  // another process goes on with it now
};

Progress replay(const Spec& spec, std::span<const Event> events);

struct BeginPhase {
  std::size_t phase = 0;
};
struct RunStep {
  std::size_t phase = 0, step = 0;
};
struct JudgeGate {
  std::size_t phase = 0;
};
struct GateClosed {
  std::size_t phase = 0;
};
struct Finished {};
// What was recorded and what the file says now are two things; a person must choose.
struct Refused {
  std::string why;
};
using Action = std::variant<BeginPhase, RunStep, JudgeGate, GateClosed, Finished, Refused>;

Action next_action(const Spec& spec, const Progress& progress);

std::string digest_of_predictions(const Phase& phase);

}  // namespace hearth::experiment
