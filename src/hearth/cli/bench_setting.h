#pragma once
// Under what circumstances something is measured, for whoever reads the numbers later.

#include <filesystem>
#include <string>
#include <vector>

#include "hearth/bench/rows.h"
#include "hearth/bench/target.h"
#include "hearth/cli/progress.h"
#include "hearth/fetch/file_watch.h"

namespace hearth::cli {

// All files of these models, known by their SHA-256, which are remembered where `hearth check` has them.
Result<fetch::FileWatch> watch_models(const std::vector<std::filesystem::path>& models, Progress& progress,
                                      const StopToken& stop);

// Machine, system, versions, load, targets, the models' files and the parts whose energy is counted.
Json bench_environment(const std::vector<bench::TargetInfo>& targets, const std::vector<fetch::WatchedFile>& files,
                       const std::vector<std::string>& energy_of);

}  // namespace hearth::cli
