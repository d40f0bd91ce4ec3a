#include "hearth/plan/memory.h"

#include <gtest/gtest.h>

#include "hearth/plan/catalog/load.h"

namespace hearth::plan {
namespace {

constexpr double mebibyte = 1048576;

// The synthetic models, size "small", Q8_0, as `hearth model show` describes them.
ModelCard synthetic(std::uint32_t layers, double layer_bytes, std::uint64_t kv_bytes_per_token,
                    double attention_flop_per_layer, std::uint32_t feed_forward_width) {
  ModelCard card;
  card.layers.assign(layers,
                     {.routed_bytes = 0, .other_bytes = static_cast<std::uint64_t>(layer_bytes)});
  card.kv_bytes_per_token_f16 = kv_bytes_per_token;
  card.attention_flop = attention_flop_per_layer * layers;
  card.hidden = 512;
  card.vocab = 320;
  card.feed_forward_width = feed_forward_width;
  return card;
}
const ModelCard& kimi() {
  static const ModelCard card = synthetic(5, 66.43e6 / 5, 5760, 2.0 * 2 * (576 + 512), 4 * 512);
  return card;
}
const ModelCard& qwen() {
  static const ModelCard card = synthetic(4, 60.51e6 / 4, 8192, 2.0 * 4 * 512, 4 * 512);
  return card;
}
const ModelCard& llama() {
  static const ModelCard card = synthetic(4, 33.77e6 / 4, 8192, 2.0 * 4 * 512, 4096);
  return card;
}

struct Logged {
  const char* name;
  const ModelCard& card;
  std::uint64_t context_tokens;
  std::uint32_t streams;
  std::uint32_t ubatch;
  double kv_mib;
  double compute_mib;
};

// What libllama 0.7.0 (build 11669) printed when it allocated: CPU backend, flash attention, one KV
// pool for all streams.
TEST(MemoryUse, AgreesWithWhatTheEngineAllocated) {
  const std::vector<Logged> logged = {
      {"kimi", kimi(), 4096, 1, 512, 22.50, 21.02},
      {"kimi", kimi(), 4096, 1, 1024, 22.50, 42.03},
      {"kimi", kimi(), 16384, 1, 512, 90.00, 33.02},
      {"kimi", kimi(), 16384, 1, 2048, 90.00, 132.06},
      {"kimi", kimi(), 32768, 2, 512, 360.00, 81.02},
      {"qwen", qwen(), 4096, 1, 512, 32.00, 21.02},
      {"qwen", qwen(), 4096, 1, 1024, 32.00, 42.04},
      {"qwen", qwen(), 16384, 1, 512, 128.00, 33.02},
      {"qwen", qwen(), 16384, 1, 2048, 128.0, 132.08},
      {"qwen", qwen(), 32768, 2, 512, 512.0, 81.02},
      {"llama", llama(), 4096, 1, 512, 32.00, 33.02},
      {"llama", llama(), 4096, 1, 1024, 32.00, 66.04},
      {"llama", llama(), 16384, 1, 512, 128.0, 45.02},
      {"llama", llama(), 16384, 1, 2048, 128.0, 180.08},
      {"llama", llama(), 32768, 2, 512, 512.0, 93.02},
  };
  for (const Logged& row : logged) {
    const ContextShape shape{.context_tokens = row.context_tokens,
                             .streams = row.streams,
                             .ubatch = row.ubatch,
                             .kv = KvType::f16,
                             .leads = true,
                             .hands_off = false};
    const MemoryUse use = memory_use(row.card, row.card.layers, shape);
    EXPECT_NEAR(use.kv_bytes / mebibyte, row.kv_mib, 0.001 * row.kv_mib)
        << row.name << " " << row.context_tokens;
    EXPECT_NEAR(use.compute_bytes / mebibyte, row.compute_mib, 0.05 * row.compute_mib)
        << row.name << " " << row.context_tokens << " ubatch " << row.ubatch;
  }
}

TEST(MemoryUse, GrowsWithEverythingThatTakesMemory) {
  const ContextShape base{.context_tokens = 8192,
                          .streams = 1,
                          .ubatch = 512,
                          .kv = KvType::f16,
                          .leads = true,
                          .hands_off = false};
  const double bytes = memory_use(kimi(), kimi().layers, base).total_bytes();
  ContextShape longer = base, more_streams = base, larger_pass = base, handing_off = base;
  longer.context_tokens *= 2;
  more_streams.streams = 2;
  larger_pass.ubatch *= 2;
  handing_off.hands_off = true;
  for (const ContextShape& more : {longer, more_streams, larger_pass, handing_off}) {
    EXPECT_GT(memory_use(kimi(), kimi().layers, more).total_bytes(), bytes);
  }
}

TEST(MemoryUse, NothingForAMachineWithoutLayers) {
  const ContextShape shape{.context_tokens = 8192,
                           .streams = 1,
                           .ubatch = 512,
                           .kv = KvType::f16,
                           .leads = false,
                           .hands_off = true};
  EXPECT_DOUBLE_EQ(memory_use(kimi(), {}, shape).total_bytes(), 0);
}

}  // namespace
}  // namespace hearth::plan
