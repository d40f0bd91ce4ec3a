// What checking a state blob costs before it is handed to the inference library: 1,024 tokens of
// Kimi K2.6 at f16 (61 layers of 576 values, 72 MB).

#include "hearth/model/state_layout.h"

#include <benchmark/benchmark.h>

#include "hearth/base/check.h"
#include "tests/support/state_blob.h"

namespace hearth::model {
namespace {

constexpr TokenRange chunk{1'024, 2'048};

StateLayout kimi_layout() {
  CacheLayout cache;
  cache.layers.assign(61, StateLayer{.k_type = 1, .k_row_bytes = 1'152});
  return {{cache}};
}

void validate(benchmark::State& state) {
  const StateLayout layout = kimi_layout();
  const Bytes blob = testing::state_blob(layout, chunk);
  for (auto _ : state) CHECK(validate_state(layout, chunk, blob).has_value());
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(blob.size()));
}
BENCHMARK(validate)->Name("model/validate_state")->Unit(benchmark::kMicrosecond);

void canonicalise(benchmark::State& state) {
  const StateLayout layout = kimi_layout();
  Bytes blob = testing::state_blob(layout, chunk);
  for (auto _ : state) CHECK(canonicalise_state(layout, blob).has_value());
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(blob.size()));
}
BENCHMARK(canonicalise)->Name("model/canonicalise_state")->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace hearth::model
