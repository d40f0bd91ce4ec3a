#pragma once
// Runs an experiment step by step, each as a process of its own, and keeps what came of it:
//
//   DIR/ledger.jsonl                       what happened, chained by digests (ledger.h)
//   DIR/evidence/phase.PHASE/              the experiment's file and those that its steps name, as the phase began
//   DIR/evidence/STEP/ATTEMPT/command.json, output.json (or output.txt), errors.log
//
// Whatever is killed, the next run goes on with the first step that has no result. One thread.

#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "hearth/base/stop.h"
#include "hearth/experiment/progress.h"

namespace hearth::experiment {

struct RunnerOptions {
  std::filesystem::path directory;
  std::filesystem::path working_directory;  // of the steps: where the experiment's file is
  std::string text{};                       // of that file, as the Spec was read from it
  std::filesystem::path hearth;             // the program that verbs are of
  Json environment;                         // told with each result: versions, host
  Ledger::WallTime wall_time;
  std::function<void(const std::string& line)> tell;  // for people, as it goes
  bool looks_only = false;  // whoever runs it meanwhile; run(), measure_again() and open_gate() are not allowed
};

enum class RunEnd : std::uint8_t { finished, gate_closed };

class Runner {
 public:
  static Result<Runner> open(Spec spec, RunnerOptions options);

  const Spec& spec() const { return spec_; }
  const std::filesystem::path& directory() const { return options_.directory; }
  Progress progress() const;
  const std::vector<Event>& events() const { return ledger_.events(); }

  // Until the end or a closed gate. An Error: a step failed (unavailable: its log says why), the
  // file contradicts what was recorded (invalid_argument), or `stop`.
  Result<RunEnd> run(const StopToken& stop);
  // The result of that step does not count any more. not_found: no such step, or it has none.
  Result<> measure_again(std::string_view step);
  // A person's decision, kept with its reason.
  Result<> open_gate(std::string_view phase, std::string_view because);

  // Of a step that is done; nullptr otherwise. corrupt: the evidence was changed.
  Result<const Json*> result_of(std::string_view step);
  // All that are there, for judging.
  Result<FindResult> results();
  std::filesystem::path evidence_of(const std::string& step, std::uint32_t attempt) const;

 private:
  Runner(Spec spec, RunnerOptions options, Ledger ledger)
      : spec_(std::move(spec)), options_(std::move(options)), ledger_(std::move(ledger)) {}
  Result<> begin_phase(const Phase& phase);
  Result<> run_step(const Step& step, std::uint32_t attempt, const StopToken& stop);
  Result<> judge_gate(const Phase& phase);
  Result<std::vector<std::pair<std::string, std::string>>> fingerprints() const;
  Result<> check_files(const Progress& progress);

  Spec spec_;
  RunnerOptions options_;
  Ledger ledger_;
  std::map<std::string, Json> results_;  // by "step/attempt"
};

}  // namespace hearth::experiment
