#include "hearth/experiment/findings.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "hearth/plan/prediction.h"

namespace hearth::experiment {
namespace {

// A place says by one of its members what is measured there: rows[0].ttft_ms, rows[0].intervals.total_ms.median.
bool measures(const ValuePath& path, plan::Metric metric) {
  const std::string_view name = plan::metric_name(metric);
  const std::string_view word = metric == plan::Metric::turn_s ? "total" : name.substr(0, name.find('_'));
  return std::ranges::any_of(path.parts, [&](const ValuePath::Part& part) {
    const auto* member = std::get_if<ValuePath::Member>(&part);
    return member != nullptr && member->name.starts_with(word);
  });
}

std::optional<double> number_at(const ValuePath& path, const FindResult& results) {
  const Json* found = find_value(path, results);
  return found != nullptr && found->is_number() ? std::optional(found->as_double()) : std::nullopt;
}

std::string stated_text(const plan::Prediction& stated, double before, double after) {
  const std::string size = stated.size ? fmt::format(" by at least {:.0f} %", 100 * *stated.size) : "";
  const std::string planner = stated.before && stated.after
                                  ? fmt::format("expected {:.4g}, then {:.4g}, and {}", *stated.before, *stated.after, stated.planner_says)
                                  : stated.planner_says;
  return fmt::format("{} was to be {}{}: {:.6g} before, {:.6g} after, {:+.1f} %. The planner {}", plan::metric_name(stated.metric),
                     plan::direction_name(stated.direction), size, before, after, 100 * (after / before - 1), planner);
}

// What the plan recorded, against what was measured without the change of which it speaks, and with it.
void judge_recorded(const Prediction& prediction, const FindResult& results, PredictionFinding& out) {
  const Recorded& recorded = *prediction.recorded;
  for (const ValuePath* path : {&recorded.statement, &recorded.before, &recorded.after}) {
    if (std::ranges::find(out.steps, path->step) == out.steps.end()) out.steps.push_back(path->step);
  }
  const auto not_established = [&](std::string why) { out.why = std::move(why); };
  const Json* json = find_value(recorded.statement, results);
  if (json == nullptr) return not_established(recorded.statement.text + " is not known");
  const auto stated = plan::read_prediction(*json);
  if (!stated || stated->text != prediction.statement) return not_established(recorded.statement.text + " is not this statement");
  for (const ValuePath* path : {&recorded.before, &recorded.after}) {
    if (!measures(*path, stated->metric)) {
      return not_established(fmt::format("{} is no {}, of which the statement is", path->text, plan::metric_name(stated->metric)));
    }
    const auto number = number_at(*path, results);
    if (!number || *number <= 0) return not_established(path->text + " is not known");
  }
  const double before = *number_at(recorded.before, results), after = *number_at(recorded.after, results);
  const bool is_right = plan::is_borne_out(stated->direction, stated->size, before, after);
  out.outcome = is_right ? PredictionOutcome::right : PredictionOutcome::wrong;
  out.why = stated_text(*stated, before, after);
}

PredictionFinding judge_prediction(const Phase& phase, const PhaseProgress& progress, const Prediction& prediction,
                                   const FindResult& results) {
  PredictionFinding out{.phase = phase.name, .name = prediction.name, .statement = prediction.statement,
                        .recorded_at = progress.began_at};
  if (prediction.recorded) {
    judge_recorded(prediction, results, out);
    return out;
  }
  if (prediction.holds) {
    out.steps = steps_of(*prediction.holds);
    const Judgement judgement = judge(*prediction.holds, results);
    out.why = judgement.why;
    if (judgement.holds) out.outcome = *judgement.holds ? PredictionOutcome::right : PredictionOutcome::wrong;
    return out;
  }
  out.steps = {prediction.value->step};
  const Json* found = find_value(*prediction.value, results);
  if (found == nullptr || !found->is_number()) {
    out.why = prediction.value->text + " is not known";
    return out;
  }
  const auto expected = number_in(*prediction.expected, results);
  if (!expected) {
    out.why = prediction.expected_text + " is not known";
    return out;
  }
  if (const auto* source = std::get_if<ValuePath>(&prediction.expected->value)) out.steps.push_back(source->step);
  const double measured = found->as_double();
  const double off = *expected == 0 ? std::abs(measured) : std::abs(measured / *expected - 1);
  out.why = fmt::format("{} is {:.6g}; {:.6g} was predicted, {:.0f} % off", prediction.value->text, measured, *expected, 100 * off);
  out.outcome = 100 * off <= prediction.within_percent ? PredictionOutcome::right : PredictionOutcome::wrong;
  return out;
}

StepFinding step_finding(const Step& step, const StepProgress& progress, bool is_running_elsewhere) {
  StepFinding out{.name = step.name, .what = step.what, .state = std::string(state_name(progress.state)),
                  .why = progress.why, .ended_at = progress.ended_at, .output_digest = progress.output_digest,
                  .line = step.command, .attempt = progress.result_attempt, .attempts = progress.attempts,
                  .seconds = progress.seconds};
  if (!step.verb.empty()) {
    out.line = {"hearth"};
    out.line.insert(out.line.end(), step.verb.begin(), step.verb.end());
    out.line.insert(out.line.end(), step.arguments.begin(), step.arguments.end());
  }
  if (progress.state == StepState::pending && progress.attempts > 0) out.why = is_running_elsewhere ? "is running" : "was interrupted";
  if (progress.is_changed) out.why = "the file says another command now";
  return out;
}

PhaseFinding phase_finding(const Phase& phase, const PhaseProgress& progress, bool is_running_elsewhere) {
  PhaseFinding out{.name = phase.name, .question = phase.question, .state = std::string(state_name(progress.state)),
                   .note = phase.gate.note, .began_at = progress.began_at, .opened_because = progress.opened_because, .gate_open = progress.gate_open,
                   .gate_why = progress.gate_why};
  for (const Condition& condition : phase.gate.conditions) out.conditions.push_back(condition.text);
  for (std::size_t s = 0; s < phase.steps.size(); ++s) {
    out.steps.push_back(step_finding(phase.steps[s], progress.steps[s], is_running_elsewhere));
  }
  return out;
}

std::string ended_at(const std::vector<PhaseFinding>& phases, std::string_view step) {
  for (const PhaseFinding& phase : phases) {
    const auto found = std::ranges::find(phase.steps, step, &StepFinding::name);
    if (found != phase.steps.end()) return found->ended_at;
  }
  return "";
}

std::string tally_of(const std::vector<PredictionFinding>& predictions) {
  if (predictions.empty()) return "";
  const auto count = [&](PredictionOutcome outcome) { return std::ranges::count(predictions, outcome, &PredictionFinding::outcome); };
  const auto open = count(PredictionOutcome::not_established);
  return fmt::format("Of {} predictions {} {} right and {} wrong{}.", predictions.size(), count(PredictionOutcome::right),
                     count(PredictionOutcome::right) == 1 ? "was" : "were", count(PredictionOutcome::wrong),
                     open > 0 ? fmt::format("; {} not established", open) : "");
}

// What the gates have decided, in sentences.
void decide(Findings& findings) {
  for (const PhaseFinding& phase : findings.phases) {
    if (phase.state == "closed") {
      findings.decision.push_back(fmt::format("Stop at '{}': {}.{}", phase.name, fmt::join(phase.gate_why, "; "),
                                              phase.note.empty() ? "" : " " + phase.note));
      return;
    }
    if (!phase.opened_because.empty()) {
      findings.decision.push_back(fmt::format("The gate of '{}' was closed ({}) and opened by hand: {}.", phase.name,
                                              fmt::join(phase.gate_why, "; "), phase.opened_because));
    }
  }
  if (const std::string tally = tally_of(findings.predictions); !tally.empty()) findings.decision.push_back(tally);
  const bool all = std::ranges::all_of(findings.phases, [](const PhaseFinding& phase) { return phase.state == "passed"; });
  findings.decision.push_back(all ? "Every gate was open." : "Not finished.");
}

void find_gaps(Findings& findings) {
  for (const PhaseFinding& phase : findings.phases) {
    for (const StepFinding& step : phase.steps) {
      if (step.state == "done") continue;
      findings.not_established.push_back(fmt::format("{} ({}): {}{}", step.name, phase.name, step.state,
                                                     step.why.empty() ? "" : ", " + step.why));
    }
  }
  for (const PredictionFinding& prediction : findings.predictions) {
    if (prediction.outcome != PredictionOutcome::not_established) continue;
    findings.not_established.push_back(fmt::format("whether \"{}\": {}", prediction.statement, prediction.why));
  }
  for (const Comparison& one : findings.comparisons) {
    const MeasuredRow &row = findings.rows[one.row], &baseline = findings.rows[one.baseline];
    if (!one.ttft || !one.ttft->is_noise() || row.target == baseline.target) continue;
    findings.not_established.push_back(fmt::format("whether {} is sooner or later than {} to the first token at {:.0f} tokens{}: {:.2f} to {:.2f} times",
                                                   row_name(row), row_name(baseline), row.prompt_tokens,
                                                   row.depth > 0 ? fmt::format(" after {:.0f}", row.depth) : "", one.ttft->low, one.ttft->high));
  }
  for (const MeasuredRow& row : findings.rows) {
    if (row.failures == 0) continue;
    findings.not_established.push_back(fmt::format("{} failures of {} at {:.0f} tokens ({})", row.failures, row.target,
                                                   row.prompt_tokens, row.step));
  }
}

// What a measurement says of where it was made, each fact once.
void add_setting(const Json& result, std::vector<std::pair<std::string, std::string>>& out) {
  const Json* environment = result.find("environment");
  if (environment == nullptr || !environment->is_object()) return;
  const auto add = [&](std::string name, std::string text) {
    const std::pair fact(std::move(name), std::move(text));
    if (!fact.second.empty() && std::ranges::find(out, fact) == out.end()) out.push_back(fact);
  };
  for (const std::string_view key : {"machine", "processor", "system", "hearth"}) {
    if (const Json* text = environment->find(key); text != nullptr && text->is_string()) add(std::string(key), text->as_string());
  }
  const Json *cores = environment->find("cores"), *memory = environment->find("memory_bytes");
  const Json* load = environment->find("load_average");
  if (load != nullptr && load->is_number()) add("load before a run", fmt::format("{:.1f}", load->as_double()));
  if (cores != nullptr && cores->is_number()) add("cores", fmt::format("{:.0f}", cores->as_double()));
  if (memory != nullptr && memory->is_number()) add("memory", fmt::format("{:.1f} GB", memory->as_double() / 1e9));
  const Json* targets = environment->find("targets");
  if (targets == nullptr || !targets->is_array()) return;
  for (const Json& target : targets->as_array()) {
    const Json *name = target.find("name"), *kind = target.find("kind"), *model = target.find("model"), *build = target.find("build");
    const auto text = [](const Json* value) { return value != nullptr && value->is_string() ? value->as_string() : std::string(); };
    add("target " + text(name), fmt::format("{}: {} {}", text(kind), text(model), text(build)));
  }
}

// From the first phase that began to the last step that ended. Both are ISO times: they sort as texts.
void find_times(Findings& findings) {
  for (const PhaseFinding& phase : findings.phases) {
    if (!phase.began_at.empty() && (findings.began_at.empty() || phase.began_at < findings.began_at)) findings.began_at = phase.began_at;
    for (const StepFinding& step : phase.steps) findings.ended_at = std::max(findings.ended_at, step.ended_at);
  }
}

}  // namespace

std::string_view outcome_name(PredictionOutcome outcome) {
  switch (outcome) {
    case PredictionOutcome::right: return "right";
    case PredictionOutcome::wrong: return "wrong";
    case PredictionOutcome::not_established: return "not established";
  }
  return "?";
}

Findings find_findings(const Spec& spec, const Progress& progress, const FindResult& results) {
  Findings out{.name = spec.name, .question = spec.question};
  for (std::size_t p = 0; p < spec.phases.size(); ++p) {
    const Phase& phase = spec.phases[p];
    out.phases.push_back(phase_finding(phase, progress.phases[p], progress.is_running_elsewhere));
    for (const Prediction& prediction : phase.predictions) {
      out.predictions.push_back(judge_prediction(phase, progress.phases[p], prediction, results));
      if (!prediction.recorded) continue;
      out.predictions.back().recorded_at = ended_at(out.phases, prediction.recorded->statement.step);
    }
    for (const Step& step : phase.steps) {
      const Json* result = results(step.name);
      if (result == nullptr) continue;
      add_rows(step.name, *result, out.rows);
      add_setting(*result, out.setting);
    }
  }
  out.comparisons = compare_rows(out.rows);
  find_times(out);
  decide(out);
  find_gaps(out);
  return out;
}

Json status_json(const Findings& findings) {
  Json phases = Json::array(), predictions = Json::array();
  for (const PhaseFinding& phase : findings.phases) {
    Json why = Json::array(), steps = Json::array();
    for (const std::string& one : phase.gate_why) why.push(one);
    for (const StepFinding& step : phase.steps) {
      steps.push(Json::object({{"name", step.name}, {"state", step.state}, {"why", step.why}, {"attempts", step.attempts},
                               {"seconds", step.seconds}}));
    }
    phases.push(Json::object(
        {{"name", phase.name},
         {"state", phase.state},
         {"gate", Json::object({{"open", phase.gate_open ? Json(*phase.gate_open) : Json(nullptr)},
                                {"why", std::move(why)},
                                {"opened_because", phase.opened_because}})},
         {"steps", std::move(steps)}}));
  }
  for (const PredictionFinding& one : findings.predictions) {
    predictions.push(Json::object({{"name", one.name}, {"statement", one.statement}, {"recorded_at", one.recorded_at},
                                   {"outcome", outcome_name(one.outcome)}, {"why", one.why}}));
  }
  return Json::object({{"name", findings.name}, {"phases", std::move(phases)}, {"predictions", std::move(predictions)}});
}

std::string status_text(const Findings& findings) {
  std::string out;
  for (const PhaseFinding& phase : findings.phases) {
    out += fmt::format("{:<20} {}\n", phase.name, phase.state);
    for (const StepFinding& step : phase.steps) {
      out += fmt::format("  {:<18} {}{}{}\n", step.name, step.state,
                         step.state == "done" ? fmt::format(" in {:.1f} s", step.seconds) : "",
                         step.why.empty() ? "" : ": " + step.why);
    }
    for (const std::string& why : phase.gate_why) out += fmt::format("  gate closed: {}\n", why);
    if (!phase.opened_because.empty()) out += fmt::format("  opened by hand: {}\n", phase.opened_because);
  }
  for (const PredictionFinding& one : findings.predictions) {
    out += fmt::format("predicted: {} – {}{}\n", one.statement, outcome_name(one.outcome),
                       one.why.empty() ? "" : " (" + one.why + ")");
  }
  return out;
}

}  // namespace hearth::experiment
