// What the batching loop itself costs a step, without a model: the scripted engine answers at once.

#include "hearth/engine/scheduler.h"

#include <benchmark/benchmark.h>

#include <numeric>

#include "hearth/base/check.h"
#include "tests/support/scripted_engine.h"

namespace hearth::engine {
namespace {

constexpr std::uint32_t chunk_tokens = 1'024;

class Discard final : public JobSink {
 public:
  bool has_room() override { return true; }
  void push(JobEvent event) override { benchmark::DoNotOptimize(event); }
};

std::vector<Token> prompt_of(std::uint32_t count, Token first) {
  std::vector<Token> tokens(count, first);
  for (std::uint32_t i = 1; i < count; ++i) tokens[i] = static_cast<Token>(i % 1'000);
  return tokens;
}

// One token of every answer.
void decode_step(benchmark::State& state) {
  const auto answers = static_cast<std::uint32_t>(state.range(0));
  testing::ScriptedEngine engine({.context_tokens = 1U << 26, .batch_tokens = chunk_tokens,
                                  .ubatch_tokens = 512, .sequences = answers, .vocabulary = 1'000});
  const SteadyClock clock;
  Scheduler scheduler(engine, clock, {.chunk_tokens = chunk_tokens});
  for (std::uint32_t i = 0; i < answers; ++i) {
    GenerateRequest request{.prompt = prompt_of(16, static_cast<Token>(i)), .tokens_max = 1U << 20,
                            .sampling = {}, .stop_strings = {}, .lease = {}};
    CHECK(scheduler.submit(std::move(request), std::make_shared<Discard>(), {}).has_value());
  }
  for (auto _ : state) {
    CHECK(scheduler.step());
    engine.batches.clear();  // the double keeps what it was given
    engine.batch_sizes.clear();
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(decode_step)->Name("engine/scheduler/decode_step")->Arg(1)->Arg(4)->Arg(64)
    ->Iterations(20'000);

// A prompt from submission to its last slice, and the bookkeeping of dropping the one before.
void read_prompt(benchmark::State& state) {
  const auto tokens = static_cast<std::uint32_t>(state.range(0));
  testing::ScriptedEngine engine({.context_tokens = 1U << 20, .batch_tokens = chunk_tokens,
                                  .ubatch_tokens = 512, .sequences = 1, .vocabulary = 1'000});
  const SteadyClock clock;
  Scheduler scheduler(engine, clock, {.chunk_tokens = chunk_tokens});
  Token first = 0;
  for (auto _ : state) {
    PrefillRequest request{.prompt = prompt_of(tokens, first++ % 1'000), .lease = {}, .export_from = {}};
    CHECK(scheduler.submit(std::move(request), std::make_shared<Discard>(), {}).has_value());
    while (scheduler.has_work()) scheduler.step();
    engine.batches.clear();
    engine.batch_sizes.clear();
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(read_prompt)->Name("engine/scheduler/read_prompt")->Arg(8'192)
    ->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace hearth::engine
