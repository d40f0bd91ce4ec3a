#pragma once
// One step as a child process: its output and its errors go to files as they come.

#include <filesystem>

#include "hearth/base/stop.h"
#include "hearth/experiment/spec.h"

namespace hearth::experiment {

inline constexpr std::uint64_t step_output_bytes_max = 256u << 20;

struct StepOutcome {
  int exit_code = 0;  // 128 + signal
  double seconds = 0;
  std::string trouble;  // why its output is not a result: ran too long, wrote too much; empty: none
};

// timed_out and too much output are outcomes; an Error is ours: cancelled, no such program, disk.
Result<StepOutcome> run_step_process(const Step& step, const std::filesystem::path& hearth,
                                     const std::filesystem::path& working_directory,
                                     const std::filesystem::path& output, const std::filesystem::path& errors,
                                     const StopToken& stop);

}  // namespace hearth::experiment
