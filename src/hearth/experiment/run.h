#pragma once
// Runs an experiment: what the course says next, one thing after another, each in the journal before the
// next begins. After a crash or Ctrl-C the same call goes on: a step that had not ended is run again, one
// that had is not.
//
// One thread. Errors: invalid_argument (the design was changed under way), cancelled, and those of
// evidence and child processes. A failed step and a closed gate are no errors but what it ends with.

#include <functional>

#include "hearth/base/stop.h"
#include "hearth/experiment/evidence.h"

namespace hearth::experiment {

struct RunOptions {
  std::filesystem::path design_file;
  std::filesystem::path evidence;  // folder
  std::filesystem::path hearth;    // the program whose verbs are the steps
  bool retry = false;              // steps that failed and gates that are closed, once more
  std::function<void(const std::string& what)> progress;
  std::function<std::int64_t()> now_s;  // since 1970
};

struct RunEnd {
  bool is_complete = false;
  std::string why;  // "done", or what stopped it
  std::string decision;
};

Result<RunEnd> run_experiment(const RunOptions& options, const StopToken& stop);

// The arguments of a step as they are run: the verb, its arguments with {evidence}, {folder}, {here} and
// {hearth} filled in, and what each kind needs so that its document and its rows come here.
struct StepCommand {
  std::filesystem::path program;
  std::vector<std::string> arguments;
};
StepCommand command_of(const StepDesign& step, const std::filesystem::path& folder, const RunOptions& options);

// Design and course of a folder with evidence, as far as it has come.
struct Standing {
  Design design;
  Results results;
  std::vector<PhaseStatus> phases;
  std::string decision;
  Action next;
};
Result<Standing> read_standing(const std::filesystem::path& evidence);
// {name, phases [{name, state, gate {open, why}, steps […], predictions […]}], decision, next}
Json standing_json(const Standing& standing);

}  // namespace hearth::experiment
