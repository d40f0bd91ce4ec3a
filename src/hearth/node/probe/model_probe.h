#pragma once
// How fast one model runs on this machine, through the engine that will run it: short prompts and
// answers at two or three depths, from which the planner predicts long ones (plan/own_runs.h).
//
// With a LocalRun of two workers the fixed cost of a hand-off is measured too. One thread; seconds to minutes. Prompts
// are random tokens, which touch all experts. A second look wants a run of its own: what deep prompts left in the
// cache slows shallow ones.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "hearth/node/local_run.h"
#include "hearth/node/probe/spread.h"

namespace hearth::node {

struct ProbePoint {
  std::uint32_t depth = 0;   // tokens already there
  std::uint32_t tokens = 0;  // prefilled together, or decoded one by one
};

// A window of decoded tokens is as long as an answer where steps are fast: attention reads its cells in blocks of as many,
// and what stops a computer now and then falls on a short window or misses it.
inline constexpr std::uint32_t decode_window_tokens_max = 256;

inline constexpr std::uint32_t usual_depth_tokens = 4096;

struct ModelProbeOptions {
  // Passes of three sizes from an empty context, then what attention adds.
  std::vector<ProbePoint> prefill = {{0, 64}, {0, 256}, {0, 512}, {1536, 512}, {usual_depth_tokens - 512, 512}};
  // At least so many tokens; ProbeRun says how many it were.
  std::vector<ProbePoint> decode = {{256, 32}, {1536, 32}, {usual_depth_tokens, 32}};
  std::uint32_t handoff_tokens = 64;
  std::uint32_t repetitions = 3;
  std::uint64_t seed = 1;
};

// The usual points, and beyond them one at each doubling of that depth up to `deepest_tokens`, and there.
ModelProbeOptions reaching(std::uint32_t deepest_tokens);

struct ProbeRun {
  std::string phase;  // "prefill" or "decode"
  ProbePoint point;
  Measured seconds;  // for all tokens of the point
};

struct ModelProbe {
  std::vector<ProbeRun> runs;
  // What a prompt takes longer when another process prefills it; absent without a prefill worker.
  std::optional<Measured> handoff_s;
};

// Of each point of two looks at one model the faster one: whatever else runs on a machine only slows it, and for
// longer than one series of samples takes. The hand-off, a difference, is that of less spread. Same options for both.
ModelProbe faster_of(const ModelProbe& first, const ModelProbe& second);

// The context that a worker needs for these points.
std::uint32_t context_for(const ModelProbeOptions& options);

// `run` was started without a store, and with one sequence: cells that another one holds slow a prompt too.
Result<ModelProbe> probe_model(LocalRun& run, const ModelProbeOptions& options,
                               const std::function<void(double fraction)>& progress,
                               const StopToken& stop);

}  // namespace hearth::node
