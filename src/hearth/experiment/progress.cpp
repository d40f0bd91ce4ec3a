#include "hearth/experiment/progress.h"

#include <fmt/format.h>

#include <algorithm>

namespace hearth::experiment {
namespace {

std::string text_of(const Event& event, std::string_view key) {
  return get_or<std::string>(event.facts, key, "").value_or("");
}

class Replay {
 public:
  explicit Replay(const Spec& spec) : spec_(spec) {
    for (const Phase& phase : spec.phases) {
      PhaseProgress one;
      one.steps.resize(phase.steps.size());
      out_.phases.push_back(std::move(one));
    }
  }

  void take(const Event& event) {
    if (event.kind == "files_seen") return files_seen(event);
    if (PhaseProgress* phase = phase_named(text_of(event, "phase"))) {
      if (event.kind == "phase_began") phase_began(event, *phase);
      if (event.kind == "gate") gate(event, *phase);
      if (event.kind == "gate_opened") phase->opened_because = text_of(event, "because");
    }
    if (PhaseProgress* phase = nullptr; StepProgress* step = step_named(text_of(event, "step"), phase)) {
      take_step(event, *step, *phase);
    }
  }

  Progress finish() {
    for (std::size_t p = 0; p < spec_.phases.size(); ++p) finish_phase(spec_.phases[p], out_.phases[p]);
    return std::move(out_);
  }

 private:
  PhaseProgress* phase_named(std::string_view name) {
    const auto found = std::ranges::find(spec_.phases, name, &Phase::name);
    return found == spec_.phases.end() ? nullptr : &out_.phases[static_cast<std::size_t>(found - spec_.phases.begin())];
  }
  StepProgress* step_named(std::string_view name, PhaseProgress*& phase) {
    for (std::size_t p = 0; p < spec_.phases.size(); ++p) {
      const auto& steps = spec_.phases[p].steps;
      const auto found = std::ranges::find(steps, name, &Step::name);
      if (found == steps.end()) continue;
      phase = &out_.phases[p];
      return &phase->steps[static_cast<std::size_t>(found - steps.begin())];
    }
    return nullptr;
  }

  void files_seen(const Event& event) {
    out_.files_seen.clear();
    const Json* files = event.facts.find("files");
    if (files == nullptr || !files->is_object()) return;
    for (const auto& [path, print] : files->as_object()) {
      if (print.is_string()) out_.files_seen.emplace_back(path, print.as_string());
    }
  }

  static void phase_began(const Event& event, PhaseProgress& phase) {
    if (!phase.began_at.empty()) return;  // what was recorded first counts
    phase.began_at = event.time;
    phase.predictions_digest = text_of(event, "predictions_digest");
  }

  static void gate(const Event& event, PhaseProgress& phase) {
    phase.gate_open = get_or<bool>(event.facts, "open", false).value_or(false);
    phase.gate_why.clear();
    phase.opened_because.clear();
    if (const Json* why = event.facts.find("why"); why != nullptr && why->is_array()) {
      for (const Json& one : why->as_array()) phase.gate_why.push_back(one.is_string() ? one.as_string() : "");
    }
  }

  static void take_step(const Event& event, StepProgress& step, PhaseProgress& phase) {
    const auto attempt = get_or<std::uint32_t>(event.facts, "attempt", 0).value_or(0);
    if (event.kind == "step_began") {
      step.attempts = std::max(step.attempts, attempt);
    } else if (event.kind == "step_ended") {
      const bool is_result = get_or<bool>(event.facts, "accepted", false).value_or(false);
      step = {.state = is_result ? StepState::done : StepState::failed,
              .attempts = step.attempts,
              .result_attempt = is_result ? attempt : 0,
              .exit_code = static_cast<int>(get_or<std::int64_t>(event.facts, "exit_code", 0).value_or(0)),
              .seconds = get_or<double>(event.facts, "seconds", 0).value_or(0),
              .why = text_of(event, "why"),
              .output_digest = text_of(event, "output_digest"),
              .definition_digest = text_of(event, "definition_digest"),
              .ended_at = event.time};
    } else if (event.kind == "step_void") {
      step.state = StepState::is_void;
      step.why = text_of(event, "why");
    } else {
      return;
    }
    phase.gate_open.reset();  // judged on other results
  }

  static void finish_phase(const Phase& phase, PhaseProgress& out) {
    for (std::size_t s = 0; s < phase.steps.size(); ++s) {
      StepProgress& step = out.steps[s];
      step.is_changed = step.state == StepState::done && step.definition_digest != phase.steps[s].digest().hex();
    }
    if (out.began_at.empty()) return;
    out.are_predictions_changed = out.predictions_digest != digest_of_predictions(phase);
    out.state = PhaseState::running;
    if (!out.gate_open) return;
    out.state = *out.gate_open || !out.opened_because.empty() ? PhaseState::passed : PhaseState::closed;
  }

  const Spec& spec_;
  Progress out_;
};

std::optional<Refused> find_conflict(const Phase& phase, const PhaseProgress& progress) {
  if (progress.are_predictions_changed) {
    return Refused{fmt::format("the predictions of phase '{}' were recorded at {} and are others now; restore them, or "
                               "begin a new experiment (--dir)", phase.name, progress.began_at)};
  }
  for (std::size_t s = 0; s < phase.steps.size(); ++s) {
    if (progress.steps[s].is_changed) {
      return Refused{fmt::format("step '{}' is another command than the one that was measured; restore it, or measure "
                                 "again: --again {}", phase.steps[s].name, phase.steps[s].name)};
    }
  }
  return std::nullopt;
}

}  // namespace

std::string_view state_name(StepState state) {
  switch (state) {
    case StepState::pending: return "pending";
    case StepState::done: return "done";
    case StepState::failed: return "failed";
    case StepState::is_void: return "void";
  }
  return "?";
}

std::string_view state_name(PhaseState state) {
  switch (state) {
    case PhaseState::waiting: return "waiting";
    case PhaseState::running: return "running";
    case PhaseState::passed: return "passed";
    case PhaseState::closed: return "closed";
  }
  return "?";
}

std::string digest_of_predictions(const Phase& phase) {
  Blake2b hash;
  for (const Prediction& prediction : phase.predictions) hash.update(prediction.digest().bytes);
  for (const Condition& condition : phase.gate.conditions) hash.update_sized(condition.text);
  return hash.finish().hex();
}

Progress replay(const Spec& spec, std::span<const Event> events) {
  Replay replay(spec);
  for (const Event& event : events) replay.take(event);
  return replay.finish();
}

Action next_action(const Spec& spec, const Progress& progress) {
  for (std::size_t p = 0; p < spec.phases.size(); ++p) {
    const PhaseProgress& phase = progress.phases[p];
    if (phase.state == PhaseState::waiting) return BeginPhase{p};
    if (auto conflict = find_conflict(spec.phases[p], phase)) return *std::move(conflict);
    for (std::size_t s = 0; s < phase.steps.size(); ++s) {
      if (phase.steps[s].state != StepState::done) return RunStep{p, s};
    }
    if (phase.state == PhaseState::running) return JudgeGate{p};
    if (phase.state == PhaseState::closed) return GateClosed{p};
  }
  return Finished{};
}

}  // namespace hearth::experiment
