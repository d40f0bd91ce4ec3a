#pragma once
// What a plan takes of one machine's memory, part by part. Pure; docs/cost_model.md, section 6.

#include <cstdint>
#include <span>

#include "hearth/plan/cost/formulas.h"

namespace hearth::plan {

struct MemoryUse {
  double weights_bytes = 0;
  double kv_bytes = 0;
  double compute_bytes = 0;  // the engine's buffers for one pass
  double staging_bytes = 0;  // chunks on their way in or out
  double total_bytes() const { return weights_bytes + kv_bytes + compute_bytes + staging_bytes; }
  MemoryUse& operator+=(const MemoryUse& other);
};

// One context (KV and compute buffers of it) over some of a model's layers on one machine.
struct ContextShape {
  std::uint64_t context_tokens = 0;  // per stream
  std::uint32_t streams = 1;
  std::uint32_t ubatch = 512;
  KvType kv = KvType::f16;
  bool leads = false;      // holds embedding and head, and computes the logits
  bool hands_off = false;  // exports or imports chunks
};

// Tokens of a chunk, and how many are in memory at once while they travel.
inline constexpr double chunk_tokens = 1024;
inline constexpr double chunks_in_flight = 3;

// Peak of the engine's compute buffers for a pass of `ubatch` tokens: the largest intermediate
// results of attention and feed-forward, the attention mask, and the logits on the leading machine.
double compute_buffer_bytes(const ModelCard& card, const ContextShape& shape);

MemoryUse memory_use(const ModelCard& card, std::span<const LayerWeights> layers,
                     const ContextShape& shape);

}  // namespace hearth::plan
