#include "hearth/experiment/report.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>

#include "hearth/plan/output/plot.h"

namespace hearth::experiment {
namespace {

std::string text_of(const Json& object, std::string_view key) { return get_or<std::string>(object, key, "").value_or(""); }
std::optional<double> number_of(const Json& object, std::string_view key) { return find<double>(object, key).value_or(std::nullopt); }

std::string shown(const std::optional<double>& value) { return value ? fmt::format("{:.4g}", *value) : "–"; }

std::string link_to(const PhaseDesign& phase, const StepDesign& step, const char* file = "result.json") {
  return fmt::format("{}/{}/{}", phase.name, step.name, file);
}

std::string time_text(std::int64_t at_s) { return at_s == 0 ? "–" : fmt::format("{:%Y-%m-%d %H:%M} UTC", fmt::gmtime(static_cast<std::time_t>(at_s))); }

std::string outcome_text(Outcome outcome) {
  switch (outcome) {
    case Outcome::holds: return "came true";
    case Outcome::fails: return "did not";
    case Outcome::unknown: return "not established";
  }
  return "";
}

const Json::Array& items_of(const Json& object, std::string_view key) {
  static const Json::Array none;
  const Json* list = object.find(key);
  return list != nullptr && list->is_array() ? list->as_array() : none;
}

// One row of a bench step, with where it stands.
struct Measured {
  std::string target, what;
  double context_tokens = 0;
  const Json* row = nullptr;
  std::string link;
};

std::vector<Measured> measured_of(const Standing& standing) {
  std::vector<Measured> out;
  for (const PhaseDesign& phase : standing.design.phases) {
    for (const StepDesign& step : phase.steps) {
      const auto result = standing.results.find(step.name);
      if (step.kind != "bench" || result == standing.results.end()) continue;
      for (const Json& row : items_of(result->second, "rows")) {
        const double prompt = number_of(row, "prompt_tokens").value_or(0), depth = number_of(row, "depth").value_or(0);
        std::string what = text_of(row, "workload") == "fixed" ? fmt::format("{:.0f} tokens", prompt) : text_of(row, "workload");
        if (depth > 0) what += fmt::format(" after {:.0f}", depth);
        if (const double streams = number_of(row, "streams").value_or(1); streams > 1) what += fmt::format(", {:.0f} streams", streams);
        out.push_back({.target = text_of(row, "target"), .what = std::move(what), .context_tokens = prompt + depth, .row = &row, .link = link_to(phase, step)});
      }
    }
  }
  return out;
}

void predictions(const Standing& standing, Page& page) {
  std::vector<std::vector<Cell>> rows;
  for (std::size_t p = 0; p < standing.phases.size(); ++p) {
    const PhaseDesign& phase = standing.design.phases[p];
    for (const PredictionDesign& one : phase.predictions) {
      const Judgement found = judge(one.condition, standing.results);
      const bool was_recorded = !standing.phases[p].predictions_digest.empty();
      rows.push_back({Cell(one.text), Cell(phase.title), was_recorded ? Cell(standing.phases[p].predictions_digest.substr(0, 12), phase.name + "/predictions.json") : Cell("not yet"),
                      Cell(was_recorded ? outcome_text(found.outcome) : "–"), Cell(found.why)});
    }
  }
  if (rows.empty()) return;
  page.heading(2, "What was predicted");
  page.paragraph("Each prediction was written down, and its digest taken, before its phase began; a changed one would have stopped the experiment.");
  page.table({"prediction", "phase", "digest", "outcome", "measured"}, rows);
}

void topologies(const std::vector<Measured>& measured, Page& page) {
  if (measured.empty()) return;
  page.heading(2, "Prefill and decode by topology");
  const std::string& first = measured.front().target;
  page.paragraph(fmt::format("Medians. Beside each time to the first token: how it compares with {}, which was measured first.", first));
  std::vector<std::vector<Cell>> rows;
  for (const Measured& one : measured) {
    const auto base = std::ranges::find_if(measured, [&](const Measured& other) { return other.target == first && other.what == one.what; });
    const auto ttft = number_of(*one.row, "ttft_ms"), base_ttft = base == measured.end() ? std::nullopt : number_of(*base->row, "ttft_ms");
    const auto decode = number_of(*one.row, "decode_tok_s"), base_decode = base == measured.end() ? std::nullopt : number_of(*base->row, "decode_tok_s");
    const auto ratio = [&](const std::optional<double>& a, const std::optional<double>& b) { return a && b && *b > 0 && one.target != first ? fmt::format("{:.2f}x", *a / *b) : std::string("–"); };
    const Json* predicted = one.row->find("predicted");
    const auto predicted_ttft = predicted == nullptr ? std::nullopt : number_of(*predicted, "ttft_ms");
    rows.push_back({Cell(one.what), Cell(one.target), Cell(shown(ttft), one.link), Cell(ratio(ttft, base_ttft)), Cell(shown(predicted_ttft)),
                    Cell(shown(number_of(*one.row, "prefill_tok_s")), one.link), Cell(shown(decode), one.link), Cell(ratio(decode, base_decode))});
  }
  page.table({"prompt", "topology", "first token, ms", "against the first", "predicted, ms", "prefill, tok/s", "decode, tok/s", "against the first"}, rows);
}

void plots(const std::vector<Measured>& measured, Page& page) {
  for (const auto& [title, key] : {std::pair("Prefill against context", "prefill_tok_s"), std::pair("Decode against context", "decode_tok_s")}) {
    std::vector<plan::Series> series;
    for (const Measured& one : measured) {
      const auto value = number_of(*one.row, key);
      if (!value || *value <= 0 || one.context_tokens <= 0 || number_of(*one.row, "streams").value_or(1) != 1) continue;
      auto line = std::ranges::find(series, one.target, &plan::Series::name);
      if (line == series.end()) {
        series.push_back({one.target, {}});
        line = series.end() - 1;
      }
      line->points.emplace_back(one.context_tokens, *value);
    }
    for (plan::Series& line : series) std::ranges::sort(line.points);
    const std::string figure = plan::plot_svg(title, "tok/s", series);
    if (!figure.empty()) page.svg(figure + plan::plot_legend(series));
  }
}

// What a step's document says, in a few lines.
std::vector<Cell> summary_of(const PhaseDesign& phase, const StepDesign& step, const Json& result) {
  std::vector<Cell> out;
  const std::string link = link_to(phase, step);
  if (const Json* verdict = result.find("verdict"); verdict != nullptr && verdict->is_object()) out.emplace_back(fmt::format("{}: {}", step.name, text_of(*verdict, "why")), link);
  for (const Json& finding : items_of(result, "findings")) {
    if (!finding.is_object() || text_of(finding, "severity").empty()) continue;
    out.emplace_back(fmt::format("{}: {} ({}): {}", step.name, text_of(finding, "severity"), text_of(finding, "id"), text_of(finding, "fact")), link);
  }
  if (step.kind == "bench") out.emplace_back(fmt::format("{}: {} rows, {:.0f} requests", step.name, items_of(result, "rows").size(), number_of(result, "samples").value_or(0)), link_to(phase, step, "bench.html"));
  if (step.kind == "eval" && result.is_object()) {
    for (const auto& [key, value] : result.as_object()) {
      if (value.is_number() || value.is_bool()) out.emplace_back(fmt::format("{}: {} {}", step.name, key, dump_json(value)), link);
    }
  }
  return out;
}

void phase_section(const Standing& standing, std::size_t index, Page& page) {
  const PhaseDesign& phase = standing.design.phases[index];
  const PhaseStatus& status = standing.phases[index];
  page.heading(3, phase.title);
  if (status.state == PhaseState::waiting) return page.paragraph("Not reached.");
  page.paragraph(fmt::format("{}, begun {}. Gate: {}.", phase_state_name(status.state), time_text(status.started_s),
                             status.gate_judged ? (status.gate_open ? "open, " : "closed, ") + status.gate_why : "not judged"));
  std::vector<std::vector<Cell>> rows;
  std::vector<Cell> lines;
  for (std::size_t s = 0; s < phase.steps.size(); ++s) {
    const StepDesign& step = phase.steps[s];
    const StepStatus& one = status.steps[s];
    const bool has_ended = one.state == StepState::done || one.state == StepState::failed;
    rows.push_back({Cell(step.name), Cell(step.kind), Cell(std::string(step_state_name(one.state))), Cell(has_ended ? std::to_string(one.exit) : "–"), Cell(has_ended ? fmt::format("{:.1f} s", one.seconds) : "–"),
                    has_ended ? Cell(one.digest.substr(0, 12), link_to(phase, step)) : Cell("–")});
    const auto result = standing.results.find(step.name);
    if (result == standing.results.end()) continue;
    for (Cell& line : summary_of(phase, step, result->second)) lines.push_back(std::move(line));
  }
  page.table({"step", "kind", "state", "exit", "took", "document"}, rows);
  if (!lines.empty()) page.list(lines);
}

void not_established(const Standing& standing, const std::vector<Measured>& measured, Page& page) {
  std::vector<Cell> out;
  for (std::size_t p = 0; p < standing.phases.size(); ++p) {
    const PhaseDesign& phase = standing.design.phases[p];
    if (standing.phases[p].state != PhaseState::done) out.emplace_back(fmt::format("phase {} is {}", phase.title, phase_state_name(standing.phases[p].state)));
    for (const PredictionDesign& one : phase.predictions) {
      const Judgement found = judge(one.condition, standing.results);
      if (found.outcome == Outcome::unknown) out.emplace_back(fmt::format("whether '{}': {}", one.text, found.why));
    }
  }
  for (const Measured& one : measured) {
    for (const Json& failure : items_of(*one.row, "failures")) out.emplace_back(fmt::format("{}, {}: {:.0f} requests failed: {}", one.target, one.what, number_of(failure, "count").value_or(0), text_of(failure, "reason")), one.link);
    for (const Json& finding : items_of(*one.row, "findings")) out.emplace_back(fmt::format("{}, {}: {}", one.target, one.what, text_of(finding, "finding")), one.link);
    if (number_of(*one.row, "samples").value_or(0) < 6) out.emplace_back(fmt::format("{}, {}: {:.0f} samples are too few for an interval of 95 %", one.target, one.what, number_of(*one.row, "samples").value_or(0)), one.link);
  }
  page.heading(2, "What was not established");
  if (out.empty()) page.paragraph("Nothing that this experiment had set out to find.");
  else page.list(out);
}

std::string state_text(const Standing& standing) {
  if (standing.next.kind != Action::Kind::nothing) return "under way";
  return standing.next.why == "done" ? "complete" : "stopped: " + standing.next.why;
}

}  // namespace

void write_report(const Standing& standing, Page& page) {
  page.heading(1, standing.design.name);
  page.paragraph(standing.design.question);
  page.paragraph(fmt::format("This experiment is {}. Decision: {}", state_text(standing), standing.decision.empty() ? "none yet." : standing.decision + "."));
  predictions(standing, page);
  const auto measured = measured_of(standing);
  topologies(measured, page);
  plots(measured, page);
  page.heading(2, "What happened");
  for (std::size_t p = 0; p < standing.phases.size(); ++p) phase_section(standing, p, page);
  not_established(standing, measured, page);
  page.heading(2, "Evidence");
  page.list({{"the experiment as it was designed", "experiment.toml"}, {"the journal: every event, in order", "journal.ndjson"}, {"all measured requests (SQLite)", "bench.db"}});
}

}  // namespace hearth::experiment
