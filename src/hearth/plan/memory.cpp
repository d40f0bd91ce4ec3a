#include "hearth/plan/memory.h"

#include <algorithm>
#include <cmath>

namespace hearth::plan {
namespace {
constexpr double f32_bytes = 4;
constexpr double f16_bytes = 2;
constexpr double cells_multiple = 256;  // libllama pads the context to this
// Of the feed-forward: gate, up and their product are alive together.
constexpr double feed_forward_parts = 3;
// Hidden vectors alive beside the widest operation.
constexpr double hidden_vectors = 5;
constexpr double index_bytes_per_token = 40;  // positions, ids of tokens and outputs
}  // namespace

MemoryUse& MemoryUse::operator+=(const MemoryUse& other) {
  weights_bytes += other.weights_bytes;
  kv_bytes += other.kv_bytes;
  compute_bytes += other.compute_bytes;
  staging_bytes += other.staging_bytes;
  return *this;
}

double compute_buffer_bytes(const ModelCard& card, const ContextShape& shape) {
  const double layers = static_cast<double>(std::max<std::size_t>(1, card.layers.size()));
  const double ubatch = shape.ubatch;
  const double hidden = card.hidden;
  const double context = static_cast<double>(shape.context_tokens) * shape.streams;
  const double cells = std::ceil(context / cells_multiple) * cells_multiple;
  const double mask = ubatch * cells * f16_bytes;
  // Two FLOPs per value of a query and of an output: half of them is the width of attention.
  const double attention = card.attention_width > 0
                               ? card.attention_width
                               : card.attention_flop / (2 * layers) + hidden_vectors * hidden;
  // Without a stated width: parameters of a layer over its input width, all outputs side by side.
  const double feed_forward = card.feed_forward_width > 0
                                  ? feed_forward_parts * card.feed_forward_width
                              : hidden > 0 ? card.linear_flop_per_token / 2 / layers / hidden
                                           : 0;
  const double within_layers = std::max(attention, feed_forward + hidden_vectors * hidden);
  const double logits = shape.leads ? card.vocab + hidden : 0;
  return mask + ubatch * (f32_bytes * std::max(within_layers, logits) + index_bytes_per_token);
}

MemoryUse memory_use(const ModelCard& card, std::span<const LayerWeights> layers,
                     const ContextShape& shape) {
  MemoryUse use;
  for (const LayerWeights& layer : layers) use.weights_bytes += static_cast<double>(layer.bytes());
  if (shape.leads) {
    use.weights_bytes += static_cast<double>(card.embedding_bytes + card.head_bytes);
  }
  const double share = card.layers.empty() ? 0
                                           : static_cast<double>(layers.size()) /
                                                 static_cast<double>(card.layers.size());
  const double tokens = static_cast<double>(shape.context_tokens);
  use.kv_bytes = kv_bytes(card, shape.kv, tokens) * shape.streams * share;
  if (!layers.empty() || shape.leads) use.compute_bytes = compute_buffer_bytes(card, shape);
  if (shape.hands_off) {
    use.staging_bytes =
        handoff_bytes(card, shape.kv, std::min(chunk_tokens, tokens)) * share * chunks_in_flight;
  }
  return use;
}

}  // namespace hearth::plan
