#pragma once
// Where an experiment's evidence lies: the journal, and of each step what was run, what it said and its
// document. One process at a time; errors are those of the file system, and unavailable when another
// process has it.
//
//   FOLDER/experiment.toml          as it was when the experiment began
//   FOLDER/journal.ndjson           one event a line, each on disk before the next thing is done
//   FOLDER/bench.db                 all runs of hearth bench
//   FOLDER/PHASE/predictions.json
//   FOLDER/PHASE/STEP/command.json, result.json, log.txt, …

#include <filesystem>

#include "hearth/base/file.h"
#include "hearth/experiment/course.h"

namespace hearth::experiment {

inline constexpr std::uint64_t journal_bytes_max = 64ULL << 20;
inline constexpr std::uint64_t result_bytes_max = 256ULL << 20;

class Evidence {
 public:
  // Makes the folder when it is not there. `design_text` is kept the first time.
  static Result<Evidence> open(const std::filesystem::path& folder, std::string_view design_text);
  const std::filesystem::path& folder() const { return folder_; }
  std::filesystem::path folder_of(const PhaseDesign& phase) const { return folder_ / phase.name; }
  std::filesystem::path folder_of(const PhaseDesign& phase, const StepDesign& step) const { return folder_ / phase.name / step.name; }

  // Adds a line that survives a loss of power.
  Result<> append(const Event& event);
  Result<> write(const std::filesystem::path& file, std::string_view text);

 private:
  Evidence(std::filesystem::path folder, FileDescriptor journal) : folder_(std::move(folder)), journal_(std::move(journal)) {}
  std::filesystem::path folder_;
  FileDescriptor journal_;
};

// Reads without taking it: for status and report while it runs. A line that was cut by a crash is left out.
Result<std::vector<Event>> read_journal(const std::filesystem::path& folder);
// Documents of the steps that are done. One that is not what the journal says is corrupt.
Result<Results> read_results(const std::filesystem::path& folder, const Design& design, const Course& course);

}  // namespace hearth::experiment
