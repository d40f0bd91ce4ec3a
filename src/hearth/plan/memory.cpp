#include "hearth/plan/memory.h"

#include <algorithm>

namespace hearth::plan {
namespace {
constexpr double f32_bytes = 4;
constexpr double f16_bytes = 2;
constexpr double mask_rows_multiple = 256;  // libllama pads the context to this many cells
// Hidden vectors alive at once: residual, normalised input, output.
constexpr double hidden_vectors = 3;
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
  const double context = static_cast<double>(shape.context_tokens) * shape.streams;
  // Attention FLOPs per pair are 2 per value of query and output: their number is the width.
  const double pair_flop =
      card.attention_flop_absorbed > 0 ? card.attention_flop_absorbed : card.attention_flop;
  const double attention_width = pair_flop / (2 * layers);
  // Parameters of a layer over its input width: all outputs of its matrices side by side.
  const double feed_forward_width =
      card.hidden > 0 ? card.linear_flop_per_token / 2 / layers / card.hidden : 0;
  const double widest = std::max(attention_width, feed_forward_width);
  const double hidden = hidden_vectors * card.hidden;
  const double cells = (context + mask_rows_multiple - 1) / mask_rows_multiple * mask_rows_multiple;
  const double mask = ubatch * cells * (f32_bytes + f16_bytes);
  const double logits = shape.leads ? ubatch * card.vocab * f32_bytes : 0;
  return std::max(ubatch * f32_bytes * (widest + hidden) + mask,
                  logits + ubatch * f32_bytes * hidden);
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
