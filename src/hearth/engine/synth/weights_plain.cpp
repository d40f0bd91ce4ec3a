// Layers of the architectures that have no retrieval circuit.

#include <fmt/format.h>

#include "hearth/engine/synth/weights.h"

namespace hearth::engine {
namespace {

// By how much a recurrent head forgets with each token, as an exponent: a state that was lost shows
// for a thousand tokens.
constexpr float forgetting = -0.002F;

void add_biases(TensorList& tensors, const Shape& shape, std::size_t layer) {
  const auto add = [&](std::string_view part, std::size_t width) {
    tensors.add_random(fmt::format("blk.{}.{}.bias", layer, part), {width, 1, 1}, false);
  };
  add("attn_q", shape.heads * shape.head_width);
  add("attn_k", shape.kv_heads * shape.head_width);
  add("attn_v", shape.kv_heads * shape.head_width);
  add("attn_output", shape.width);
  tensors.add_random(fmt::format("blk.{}.attn_sinks.weight", layer), {shape.heads, 1, 1}, false);
}

}  // namespace

void add_plain_attention(TensorList& tensors, const Shape& shape, std::size_t layer) {
  const auto name = [&](std::string_view part) {
    return fmt::format("blk.{}.{}.weight", layer, part);
  };
  const bool is_gated = shape.attention_interval > 0;  // the query comes with a gate of its size
  const std::size_t query_width = shape.heads * shape.head_width;
  const std::size_t kv_width = shape.kv_heads * shape.head_width;
  tensors.add_constant(name("attn_norm"), {shape.width, 1, 1}, 1, false);
  tensors.add_random(name("attn_q"), {shape.width, query_width * (is_gated ? 2 : 1), 1});
  tensors.add_random(name("attn_k"), {shape.width, kv_width, 1});
  tensors.add_random(name("attn_v"), {shape.width, kv_width, 1});
  tensors.add_random(name("attn_output"), {query_width, shape.width, 1});
  if (shape.window > 0) add_biases(tensors, shape, layer);
  if (is_gated) {
    tensors.add_constant(name("attn_q_norm"), {shape.head_width, 1, 1}, 1, false);
    tensors.add_constant(name("attn_k_norm"), {shape.head_width, 1, 1}, 1, false);
  }
}

void add_recurrence(TensorList& tensors, const Shape& shape, std::size_t layer) {
  const auto name = [&](std::string_view part) { return fmt::format("blk.{}.{}", layer, part); };
  const std::size_t keys = shape.state_groups * shape.state_width;
  const std::size_t values = shape.state_heads * shape.state_width;
  tensors.add_constant(name("attn_norm.weight"), {shape.width, 1, 1}, 1, false);
  tensors.add_random(name("attn_qkv.weight"), {shape.width, 2 * keys + values, 1});
  tensors.add_random(name("attn_gate.weight"), {shape.width, values, 1});
  tensors.add_random(name("ssm_conv1d.weight"), {shape.convolution, 2 * keys + values, 1}, false);
  tensors.add_constant(name("ssm_dt.bias"), {shape.state_heads, 1, 1}, 0, false);
  tensors.add_constant(name("ssm_a"), {shape.state_heads, 1, 1}, forgetting, false);
  tensors.add_random(name("ssm_beta.weight"), {shape.width, shape.state_heads, 1});
  tensors.add_random(name("ssm_alpha.weight"), {shape.width, shape.state_heads, 1});
  tensors.add_constant(name("ssm_norm.weight"), {shape.state_width, 1, 1}, 1, false);
  tensors.add_random(name("ssm_out.weight"), {values, shape.width, 1});
}

}  // namespace hearth::engine
