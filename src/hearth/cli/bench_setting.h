#pragma once
// Under what circumstances something is measured, for whoever reads the numbers later.

#include <filesystem>
#include <functional>
#include <optional>

#include "hearth/bench/rows.h"
#include "hearth/bench/target.h"

namespace hearth::cli {

// Machine, system, versions, load, targets and the models' files.
Json bench_environment(const std::vector<bench::TargetInfo>& targets, const std::vector<std::filesystem::path>& models);

// A counter of joules of the processor package, where the machine has one that may be read.
std::function<std::optional<double>()> energy_counter();

// Succeeds while the files are what they were at this call; corrupt once one is not.
Result<std::function<Result<>()>> watch_models(const std::vector<std::filesystem::path>& models);

}  // namespace hearth::cli
