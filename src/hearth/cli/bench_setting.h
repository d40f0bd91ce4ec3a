#pragma once
// Under what circumstances something is measured, for whoever reads the numbers later.

#include <filesystem>
#include <functional>
#include <optional>

#include "hearth/bench/rows.h"
#include "hearth/bench/target.h"
#include "hearth/cli/progress.h"
#include "hearth/fetch/file_watch.h"

namespace hearth::cli {

// All files of these models, known by their SHA-256, which are remembered where `hearth check` has them.
Result<fetch::FileWatch> watch_models(const std::vector<std::filesystem::path>& models, Progress& progress,
                                      const StopToken& stop);

// Machine, system, versions, load, targets and the models' files.
Json bench_environment(const std::vector<bench::TargetInfo>& targets, const std::vector<fetch::WatchedFile>& files);

// A counter of joules of the processor package, where the machine has one that may be read.
std::function<std::optional<double>()> energy_counter();

}  // namespace hearth::cli
