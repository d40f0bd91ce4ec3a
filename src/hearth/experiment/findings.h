#pragma once
// What an experiment has found so far, ready to be shown: predictions against what happened,
// measurements side by side, gates, and what was not established. Pure.

#include <optional>
#include <string>
#include <vector>

#include "hearth/experiment/measured.h"
#include "hearth/experiment/progress.h"

namespace hearth::experiment {

enum class PredictionOutcome : std::uint8_t { right, wrong, not_established };
std::string_view outcome_name(PredictionOutcome outcome);

struct PredictionFinding {
  std::string phase, name, statement, recorded_at;
  PredictionOutcome outcome = PredictionOutcome::not_established;
  std::string why;
  std::vector<std::string> steps;  // whose results it rests on
};

struct StepFinding {
  std::string name, what, state, why, ended_at, output_digest;
  std::vector<std::string> line;  // what was run
  std::uint32_t attempt = 0, attempts = 0;
  double seconds = 0;
};

struct PhaseFinding {
  std::string name, question, state, note, began_at, opened_because;
  std::optional<bool> gate_open;
  std::vector<std::string> conditions, gate_why;
  std::vector<StepFinding> steps;
};

struct Findings {
  std::string name, question;
  std::vector<PhaseFinding> phases;
  std::vector<PredictionFinding> predictions;
  std::vector<MeasuredRow> rows;
  std::vector<Comparison> comparisons;
  std::vector<std::pair<std::string, std::string>> setting;  // where it was measured: "processor", …
  std::string began_at, ended_at;                            // of what there is
  std::vector<std::string> decision;         // sentences
  std::vector<std::string> not_established;  // sentences
};

Findings find_findings(const Spec& spec, const Progress& progress, const FindResult& results);

// {name, phases [{name, state, gate {open, why}, steps […]}], predictions […]}
Json status_json(const Findings& findings);
std::string status_text(const Findings& findings);

// The page carries the results, so that each number links to the row it comes from.
std::string report_html(const Findings& findings, const FindResult& results);
std::string report_markdown(const Findings& findings);

}  // namespace hearth::experiment
