#pragma once
// An experiment, as experiment.toml says it: phases in order, each with steps (commands whose JSON
// is kept), predictions that are recorded before the phase begins, and a gate. Format:
// docs/experiment.md. Pure. Errors are invalid_argument, one line a fault with file:line, and what
// would be right.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hearth/base/digest.h"
#include "hearth/base/result.h"
#include "hearth/experiment/value_path.h"

namespace hearth::experiment {

inline constexpr std::size_t phases_max = 64, steps_max = 256;

// Runs `hearth VERB ARGUMENTS --json`, or any command; its standard output is the result.
struct Step {
  std::string name;     // unique in the experiment: conditions say it
  std::string what;     // for the report
  std::vector<std::string> verb;     // of hearth: ["eval", "kl"]; or
  std::vector<std::string> command;  // program and arguments
  std::vector<std::string> arguments;
  std::vector<int> accept = {0};  // exit codes that are results; with a verb also 1: the answer is no
  std::uint32_t time_max_s = 3600;
  // Of all that changes what it does; the same digest is the same measurement.
  Digest256 digest() const;
};

// Where `hearth plan --predict` recorded a statement, in an earlier phase; where what it is about was measured before
// the change of which it speaks, and after.
struct Recorded {
  ValuePath statement, before, after;
};

struct Prediction {
  std::string name, statement;
  std::optional<Recorded> recorded;  // either a statement that the plan recorded in these words,
  std::optional<Condition> holds;    // or a condition,
  std::optional<ValuePath> value;    // or a value with
  std::optional<Condition::Operand> expected;  // a number, or a value of an earlier phase's step: what the plan said
  std::string expected_text;
  double within_percent = 0;         // how far it may be off
  Digest256 digest() const;
};

struct Gate {
  std::vector<Condition> conditions;  // all must hold; none: always open
  std::string note;                   // what a closed gate means
};

struct Phase {
  std::string name, question;
  std::vector<Step> steps;
  std::vector<Prediction> predictions;
  Gate gate;
};

struct Spec {
  std::string name, question;
  std::vector<Phase> phases;
  std::vector<std::string> watch;  // files that must not change between first step and last

  const Step* find_step(std::string_view name) const;
  const Phase* phase_of(std::string_view step) const;
};

// "$NAME" in arguments, commands and watch stands for a value of [variables], "$$" for "$", "$results"
// for `results_directory`.
Result<Spec> read_spec(std::string_view toml, std::string_view file_name, std::string_view results_directory = "results");

}  // namespace hearth::experiment
