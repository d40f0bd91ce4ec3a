#include "hearth/experiment/findings.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

namespace hearth::experiment {
namespace {

// A number, or what a measurement with an interval says of it.
std::optional<double> number_in(const Json& object, std::string_view key) {
  const Json* value = object.find(key);
  if (value == nullptr) return std::nullopt;
  if (value->is_number()) return value->as_double();
  for (const std::string_view middle : {"median", "p50", "value"}) {
    if (const Json* found = value->find(middle); found != nullptr && found->is_number()) return found->as_double();
  }
  return std::nullopt;
}

PredictionFinding judge_prediction(const Phase& phase, const PhaseProgress& progress, const Prediction& prediction,
                                   const FindResult& results) {
  PredictionFinding out{.phase = phase.name, .name = prediction.name, .statement = prediction.statement,
                        .recorded_at = progress.began_at};
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
  const double measured = found->as_double();
  const double off = prediction.expected == 0 ? std::abs(measured) : std::abs(measured / prediction.expected - 1);
  out.why = fmt::format("{} is {:.6g}; {:.6g} was predicted, {:.0f} % off", prediction.value->text, measured,
                        prediction.expected, 100 * off);
  out.outcome = 100 * off <= prediction.within_percent ? PredictionOutcome::right : PredictionOutcome::wrong;
  return out;
}

void add_rows(const std::string& step, const Json& result, std::vector<MeasuredRow>& out) {
  const Json* rows = result.find("rows");
  if (rows == nullptr || !rows->is_array()) return;
  for (std::size_t i = 0; i < rows->as_array().size(); ++i) {
    const Json& row = rows->as_array()[i];
    const auto prompt = number_in(row, "prompt_tokens");
    const Json* target = row.find("target");
    if (!prompt || target == nullptr || !target->is_string()) continue;
    MeasuredRow one{.step = step, .target = target->as_string(), .index = i, .prompt_tokens = *prompt,
                    .depth = number_in(row, "depth").value_or(0), .ttft_ms = number_in(row, "ttft_ms"),
                    .prefill_tok_s = number_in(row, "prefill_tok_s"), .decode_tok_s = number_in(row, "decode_tok_s")};
    one.failures = static_cast<std::uint64_t>(std::max(0.0, number_in(row, "failures").value_or(0)));
    if (const Json* predicted = row.find("predicted")) one.predicted_ttft_ms = number_in(*predicted, "ttft_ms");
    out.push_back(std::move(one));
  }
}

std::optional<double> ratio(const std::optional<double>& a, const std::optional<double>& b) {
  return a && b && *b > 0 ? std::optional(*a / *b) : std::nullopt;
}

std::vector<Comparison> compare_rows(const std::vector<MeasuredRow>& rows) {
  std::vector<Comparison> out;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const MeasuredRow& row = rows[i];
    const auto baseline = std::ranges::find_if(rows, [&](const MeasuredRow& other) {
      return other.prompt_tokens == row.prompt_tokens && other.depth == row.depth;
    });
    const bool is_itself = &*baseline == &row;
    if (is_itself || (baseline->target == row.target && baseline->step == row.step)) continue;
    out.push_back({.step = row.step, .target = row.target, .baseline = baseline->target + " (" + baseline->step + ")",
                   .prompt_tokens = row.prompt_tokens, .depth = row.depth,
                   .ttft_ratio = ratio(row.ttft_ms, baseline->ttft_ms),
                   .decode_ratio = ratio(row.decode_tok_s, baseline->decode_tok_s)});
  }
  return out;
}

StepFinding step_finding(const Step& step, const StepProgress& progress) {
  StepFinding out{.name = step.name, .what = step.what, .state = std::string(state_name(progress.state)),
                  .why = progress.why, .ended_at = progress.ended_at, .output_digest = progress.output_digest,
                  .line = step.command, .attempt = progress.result_attempt, .attempts = progress.attempts,
                  .seconds = progress.seconds};
  if (!step.verb.empty()) {
    out.line = {"hearth"};
    out.line.insert(out.line.end(), step.verb.begin(), step.verb.end());
    out.line.insert(out.line.end(), step.arguments.begin(), step.arguments.end());
  }
  if (progress.state == StepState::pending && progress.attempts > 0) out.why = "was interrupted";
  if (progress.is_changed) out.why = "the file says another command now";
  return out;
}

PhaseFinding phase_finding(const Phase& phase, const PhaseProgress& progress) {
  PhaseFinding out{.name = phase.name, .question = phase.question, .state = std::string(state_name(progress.state)),
                   .note = phase.gate.note, .opened_because = progress.opened_because, .gate_open = progress.gate_open,
                   .gate_why = progress.gate_why};
  for (const Condition& condition : phase.gate.conditions) out.conditions.push_back(condition.text);
  for (std::size_t s = 0; s < phase.steps.size(); ++s) out.steps.push_back(step_finding(phase.steps[s], progress.steps[s]));
  return out;
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
  for (const MeasuredRow& row : findings.rows) {
    if (row.failures == 0) continue;
    findings.not_established.push_back(fmt::format("{} failures of {} at {:.0f} tokens ({})", row.failures, row.target,
                                                   row.prompt_tokens, row.step));
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
    out.phases.push_back(phase_finding(phase, progress.phases[p]));
    for (const Prediction& prediction : phase.predictions) {
      out.predictions.push_back(judge_prediction(phase, progress.phases[p], prediction, results));
    }
    for (const Step& step : phase.steps) {
      if (const Json* result = results(step.name)) add_rows(step.name, *result, out.rows);
    }
  }
  out.comparisons = compare_rows(out.rows);
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
