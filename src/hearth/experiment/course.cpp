#include "hearth/experiment/course.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "hearth/base/sha256.h"

namespace hearth::experiment {
namespace {

constexpr std::array<std::string_view, 5> event_names = {"phase_started", "step_started", "step_ended", "gate_judged", "decided"};

std::unexpected<Error> misplaced(const Event& event, std::string_view why) {
  return fail(Code::invalid_argument, fmt::format("journal: {} of {}{}: {}", event_names[static_cast<std::size_t>(event.kind)], event.phase, event.step, why));
}

bool counts_as_done(const StepDesign& step, int exit) { return std::ranges::find(step.exits, exit) != step.exits.end(); }

}  // namespace

Json event_json(const Event& e) {
  return Json::object({{"event", event_names[static_cast<std::size_t>(e.kind)]}, {"at_s", e.at_s}, {"phase", e.phase}, {"step", e.step}, {"text", e.text},
                       {"sha256", e.digest}, {"exit", e.exit}, {"seconds", e.seconds}, {"open", e.open}});
}

Result<Event> parse_event(std::string_view line) {
  const Json json = TRY(parse_json(line));
  const std::string name = TRY(get<std::string>(json, "event"));
  const auto kind = std::ranges::find(event_names, name);
  if (kind == event_names.end()) return fail(Code::invalid_argument, fmt::format("journal: unknown event '{}'", name));
  Event out;
  out.kind = static_cast<Event::Kind>(kind - event_names.begin());
  out.at_s = TRY(get<std::int64_t>(json, "at_s"));
  out.phase = TRY(get<std::string>(json, "phase"));
  out.step = TRY(get<std::string>(json, "step"));
  out.text = TRY(get<std::string>(json, "text"));
  out.digest = TRY(get<std::string>(json, "sha256"));
  const std::int64_t exit = TRY(get<std::int64_t>(json, "exit"));
  out.exit = static_cast<int>(std::clamp<std::int64_t>(exit, 0, 255));
  out.seconds = TRY(get<double>(json, "seconds"));
  out.open = TRY(get<bool>(json, "open"));
  return out;
}

std::string step_digest(const StepDesign& step) {
  return sha256(as_byte_span(fmt::format("{}\n{}", step.kind, fmt::join(step.arguments, "\n")))).hex();
}

std::string predictions_digest(const PhaseDesign& phase) { return sha256(as_byte_span(predictions_text(phase))).hex(); }

std::string_view step_state_name(StepState state) {
  constexpr std::array<std::string_view, 4> names = {"waiting", "running", "done", "failed"};
  return names[static_cast<std::size_t>(state)];
}
std::string_view phase_state_name(PhaseState state) {
  constexpr std::array<std::string_view, 5> names = {"waiting", "running", "failed", "closed", "done"};
  return names[static_cast<std::size_t>(state)];
}

Course::Course(const Design& design) : design_(design) {
  for (const PhaseDesign& phase : design.phases) phases_.push_back({.steps = std::vector<StepStatus>(phase.steps.size())});
}

Result<std::size_t> Course::phase_called(std::string_view name) const {
  const auto found = std::ranges::find(design_.phases, name, &PhaseDesign::name);
  if (found == design_.phases.end()) return fail(Code::invalid_argument, fmt::format("journal: this experiment has no phase '{}'", name));
  return static_cast<std::size_t>(found - design_.phases.begin());
}

Result<StepStatus*> Course::step_called(std::string_view name, const StepDesign*& design) {
  for (std::size_t p = 0; p < design_.phases.size(); ++p) {
    for (std::size_t s = 0; s < design_.phases[p].steps.size(); ++s) {
      if (design_.phases[p].steps[s].name != name) continue;
      design = &design_.phases[p].steps[s];
      if (phases_[p].state == PhaseState::waiting) return fail(Code::invalid_argument, fmt::format("journal: step '{}' before its phase", name));
      return &phases_[p].steps[s];
    }
  }
  return fail(Code::invalid_argument, fmt::format("journal: this experiment has no step '{}'", name));
}

Result<> Course::apply(const Event& event) {
  using Kind = Event::Kind;
  if (event.kind == Kind::decided) {
    decision_ = event.text;
    return {};
  }
  if (event.kind == Kind::phase_started || event.kind == Kind::gate_judged) {
    const std::size_t index = TRY(phase_called(event.phase));
    PhaseStatus& phase = phases_[index];
    if (event.kind == Kind::phase_started) {
      // Predictions are made before; what is changed afterwards is no prediction.
      if (predictions_digest(design_.phases[index]) != event.digest) {
        return misplaced(event, "its predictions were changed after it had begun; put them back, or begin the experiment anew in another folder");
      }
      phase.state = PhaseState::running;
      phase.predictions_digest = event.digest;
      if (phase.started_s == 0) phase.started_s = event.at_s;
      return {};
    }
    if (phase.state == PhaseState::waiting) return misplaced(event, "before it began");
    phase.gate_judged = true;
    phase.gate_open = event.open;
    phase.gate_why = event.text;
    phase.state = event.open ? PhaseState::done : PhaseState::closed;
    return {};
  }
  const StepDesign* design = nullptr;
  StepStatus* step = TRY(step_called(event.step, design));
  if (event.kind == Kind::step_started) {
    if (event.digest != step_digest(*design)) {
      return misplaced(event, "it was changed after it had run; put it back, or begin the experiment anew in another folder");
    }
    step->state = StepState::running;
    return {};
  }
  step->exit = event.exit;
  step->seconds = event.seconds;
  step->digest = event.digest;
  step->ended_s = event.at_s;
  step->state = counts_as_done(*design, event.exit) ? StepState::done : StepState::failed;
  if (step->state == StepState::failed) {
    for (std::size_t p = 0; p < phases_.size(); ++p) {
      for (const StepStatus& one : phases_[p].steps) {
        if (&one == step) phases_[p].state = PhaseState::failed;
      }
    }
  }
  return {};
}

Action Course::next() const {
  using Kind = Action::Kind;
  for (std::size_t p = 0; p < phases_.size(); ++p) {
    const PhaseStatus& phase = phases_[p];
    const std::string& name = design_.phases[p].name;
    if (phase.state == PhaseState::done) continue;
    if (phase.state == PhaseState::waiting) return {.kind = Kind::start_phase, .phase = p, .step = 0, .why = {}};
    if (phase.state == PhaseState::closed) return {.kind = Kind::nothing, .phase = p, .step = 0, .why = fmt::format("the gate of {} is closed: {}", name, phase.gate_why)};
    for (std::size_t s = 0; s < phase.steps.size(); ++s) {
      const StepStatus& step = phase.steps[s];
      if (step.state == StepState::failed) {
        return {.kind = Kind::nothing, .phase = p, .step = s, .why = fmt::format("step {} of {} failed with exit code {}", design_.phases[p].steps[s].name, name, step.exit)};
      }
      if (step.state != StepState::done) return {.kind = Kind::run_step, .phase = p, .step = s, .why = {}};
    }
    return {.kind = Kind::judge_gate, .phase = p, .step = 0, .why = {}};
  }
  if (decision_.empty() && (!design_.decisions.empty() || !design_.otherwise.empty())) return {.kind = Kind::decide, .phase = 0, .step = 0, .why = {}};
  return {.kind = Kind::nothing, .phase = 0, .step = 0, .why = "done"};
}

void Course::forget_failures() {
  for (PhaseStatus& phase : phases_) {
    if (phase.state != PhaseState::failed && phase.state != PhaseState::closed) continue;
    phase.state = PhaseState::running;
    phase.gate_judged = false;
    for (StepStatus& step : phase.steps) {
      if (step.state == StepState::failed) step.state = StepState::waiting;
    }
  }
}

GateJudgement judge_gate(const PhaseDesign& phase, const Results& results) {
  GateJudgement out{.open = true, .why = {}};
  for (const GateDesign& one : phase.gate) {
    const Judgement found = judge(one.condition, results);
    if (found.outcome == Outcome::holds) continue;
    out.open = false;
    if (!out.why.empty()) out.why += "; ";
    out.why += fmt::format("{} ({}: {})", one.text.empty() ? one.condition.text : one.text, one.condition.text,
                           found.outcome == Outcome::fails ? found.why + " does not hold" : found.why);
  }
  if (out.open) out.why = phase.gate.empty() ? "no condition" : fmt::format("all {} conditions hold", phase.gate.size());
  return out;
}

std::string decide(const Design& design, const Results& results) {
  for (const DecisionDesign& one : design.decisions) {
    if (judge(one.condition, results).outcome == Outcome::holds) return one.text;
  }
  return design.otherwise.empty() ? "nothing is decided: no rule holds" : design.otherwise;
}

}  // namespace hearth::experiment
