#pragma once
// What a run of `hearth bench` is asked for, as it is recorded, and what of it must be the same for
// another run to go on with it. Pure.

#include "hearth/bench/trace.h"
#include "hearth/cli/bench_predict.h"
#include "hearth/cli/bench_targets.h"

namespace hearth::cli {

struct BenchFlags {
  std::vector<std::string> targets, prompt_tokens, depths, streams;
  std::uint32_t answer_tokens = 64, repeats = 5, warm_ups = 1;
  std::uint64_t seed = 1;
  std::filesystem::path trace, database, html, csv;
  std::uint32_t agent_turns = 0, sessions = 4, in_flight = 16, block_tokens = bench::block_tokens_default;
  double scale = 1, speed = 1, time_max_s = 3'600;
  std::string name = "bench";
  PredictWish predict;
  WorkerSettings worker;
  std::vector<std::string> which;  // of compare and show
  bool resume = false, json = false;
};

// How requests are sent and workers are started; part of a run's environment.
Json bench_settings(const BenchFlags& flags);

// The same text, once dumped: the same measurement. Of `environment` (bench_environment with the member
// "settings") what changes by itself is left out: load, free memory, how long loading took.
Json bench_plan(const BenchFlags& flags, const std::vector<bench::Case>& cases, const Json& environment,
                const Json& predicted);

}  // namespace hearth::cli
