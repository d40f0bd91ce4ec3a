#pragma once
// What an experiment is: a question, phases with steps, predictions and a gate each, and the rule that
// decides at the end. Read from TOML (docs/experiment.md); a value; pure.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hearth/base/result.h"
#include "hearth/experiment/condition.h"

namespace hearth::experiment {

inline constexpr std::size_t design_bytes_max = 1u << 20;
inline constexpr std::size_t phases_max = 32, steps_max = 64, conditions_max = 64;

// A program that is run once, prints one JSON document, and whose exit code counts.
struct StepDesign {
  std::string name;                  // unique in the experiment: results are asked for by it
  std::string kind;                  // plan, check, bench, eval, model: a verb of hearth; command: any program
  std::vector<std::string> arguments;
  double time_max_s = 24 * 3600;
  std::vector<int> exits = {0};      // that count as done
  bool operator==(const StepDesign&) const = default;
};

struct PredictionDesign {
  std::string text;     // "adding the Sparks makes it slower"
  Condition condition;  // what must be so for it to have come true
  bool operator==(const PredictionDesign&) const = default;
};

struct GateDesign {
  std::string text;  // why the condition matters; shown when it closes the gate
  Condition condition;
  bool operator==(const GateDesign&) const = default;
};

struct PhaseDesign {
  std::string name, title;
  std::vector<StepDesign> steps;
  std::vector<PredictionDesign> predictions;
  std::vector<GateDesign> gate;  // all must hold
  bool operator==(const PhaseDesign&) const = default;
};

// The first one whose condition holds is the decision.
struct DecisionDesign {
  std::string text;
  Condition condition;
  bool operator==(const DecisionDesign&) const = default;
};

struct Design {
  std::string name, question;
  std::vector<PhaseDesign> phases;
  std::vector<DecisionDesign> decisions;
  std::string otherwise;  // the decision when none of them holds
  bool operator==(const Design&) const = default;
};

// invalid_argument with file, line, what is wrong and the right form.
Result<Design> parse_design(std::string_view text, std::string_view name);

// What is hashed before a phase starts: its predictions, in a fixed form.
std::string predictions_text(const PhaseDesign& phase);

}  // namespace hearth::experiment
