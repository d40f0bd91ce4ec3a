#pragma once
// The dimensions of every synthetic model. All widths that a rotation acts on are powers of two;
// everything that a K-quant packs in blocks is a multiple of 256.

#include <cstddef>
#include <cstdint>

#include "hearth/engine/synth/synth.h"

namespace hearth::engine {

struct Shape {
  Architecture architecture = Architecture::kimi;
  std::size_t layers = 0;
  std::size_t width = 0;     // of the residual stream
  std::size_t heads = 0;
  std::size_t kv_heads = 0;
  std::size_t head_width = 0;   // of a key and a value; unused by MLA
  std::size_t lag_width = 0;    // of the code that stands for a token in the history
  std::size_t lags = 15;        // how many earlier tokens a position remembers
  double rope_base = 0;
  std::size_t rope_width = 0;   // part of a key that rotates

  std::size_t feed_forward = 0;     // dense layers
  std::size_t dense_layers = 0;     // leading layers without experts
  std::size_t experts = 0;
  std::size_t experts_used = 0;
  std::size_t experts_shared = 0;
  std::size_t expert_feed_forward = 0;

  // MLA only.
  std::size_t query_rank = 0;
  std::size_t latent_rank = 0;
  std::size_t nope_width = 0;
  std::size_t value_width = 0;

  // Sliding window only: every second layer, the first among them.
  std::size_t window = 0;

  // Hybrid only: in every group of so many layers the last one attends, the others are recurrent.
  std::size_t attention_interval = 0;
  std::size_t state_width = 0;      // of a recurrent key and value head
  std::size_t state_groups = 0;     // key heads
  std::size_t state_heads = 0;      // value heads
  std::size_t convolution = 0;      // tokens that the short convolution sees

  bool is_mla() const { return architecture == Architecture::kimi; }
  bool has_circuit() const { return window == 0 && attention_interval == 0; }
  bool is_recurrent(std::size_t layer) const {
    return attention_interval > 0 && (layer + 1) % attention_interval != 0;
  }
  bool has_experts(std::size_t layer) const { return experts > 0 && layer >= dense_layers; }
};

inline constexpr std::uint32_t kContextLength = 262'144;
inline constexpr std::size_t kTokenCount = 320;
inline constexpr std::size_t kTokenCodeWidth = 128;

Shape shape_of(Architecture architecture, Size size);

}  // namespace hearth::engine
