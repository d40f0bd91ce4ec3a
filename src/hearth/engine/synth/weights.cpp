#include "hearth/engine/synth/weights.h"

#include <fmt/format.h>

namespace hearth::engine {
namespace {

// With a circuit the feed-forward part computes, but adds nothing: its last matrix is zero.
void add_down(TensorList& tensors, const Circuit* circuit, std::string name,
              std::array<std::size_t, 3> extents) {
  if (circuit != nullptr) {
    tensors.add_constant(std::move(name), extents, 0, true);
  } else {
    tensors.add_random(std::move(name), extents);
  }
}

void add_gated(TensorList& tensors, const Circuit* circuit, std::size_t layer,
               std::string_view suffix, std::size_t width, std::size_t inner, std::size_t count) {
  const auto name = [&](std::string_view part) {
    return fmt::format("blk.{}.ffn_{}{}.weight", layer, part, suffix);
  };
  tensors.add_random(name("gate"), {width, inner, count});
  tensors.add_random(name("up"), {width, inner, count});
  add_down(tensors, circuit, name("down"), {inner, width, count});
}

// The norm between attention and feed-forward part has another name in the newer families.
std::string_view middle_norm_of(const Shape& shape) {
  return shape.has_circuit() ? "ffn_norm" : "post_attention_norm";
}

void add_expert_biases(TensorList& tensors, const Shape& shape, std::size_t layer) {
  const auto add = [&](std::string_view part, std::size_t width) {
    tensors.add_random(fmt::format("blk.{}.{}.bias", layer, part), {width, shape.experts, 1}, false);
  };
  tensors.add_random(fmt::format("blk.{}.ffn_gate_inp.bias", layer), {shape.experts, 1, 1}, false);
  add("ffn_gate_exps", shape.expert_feed_forward);
  add("ffn_up_exps", shape.expert_feed_forward);
  add("ffn_down_exps", shape.width);
}

void add_feed_forward(TensorList& tensors, const Shape& shape, const Circuit* circuit,
                      std::size_t layer) {
  tensors.add_constant(fmt::format("blk.{}.{}.weight", layer, middle_norm_of(shape)),
                       {shape.width, 1, 1}, 1, false);
  if (!shape.has_experts(layer)) {
    add_gated(tensors, circuit, layer, "", shape.width, shape.feed_forward, 1);
    return;
  }
  tensors.add_random(fmt::format("blk.{}.ffn_gate_inp.weight", layer),
                     {shape.width, shape.experts, 1}, false);
  if (shape.is_mla()) {
    tensors.add_random(fmt::format("blk.{}.exp_probs_b.bias", layer), {shape.experts, 1, 1}, false);
  }
  add_gated(tensors, circuit, layer, "_exps", shape.width, shape.expert_feed_forward,
            shape.experts);
  if (shape.window > 0) add_expert_biases(tensors, shape, layer);
  if (shape.attention_interval > 0) {
    tensors.add_random(fmt::format("blk.{}.ffn_gate_inp_shexp.weight", layer), {shape.width, 1, 1},
                       false);
  }
  if (shape.experts_shared > 0) {
    add_gated(tensors, circuit, layer, "_shexp", shape.width,
              shape.expert_feed_forward * shape.experts_shared, 1);
  }
}

void add_ends(TensorList& tensors, const Shape& shape, const Circuit* circuit) {
  const std::array<std::size_t, 3> extents = {shape.width, kTokenCount, 1};
  if (circuit != nullptr) {
    tensors.add_matrix("token_embd.weight", extents, circuit->embedding());
    tensors.add_matrix("output.weight", extents, circuit->unembedding());
  } else {
    tensors.add_random("token_embd.weight", extents);
    tensors.add_random("output.weight", extents);
  }
  tensors.add_constant("output_norm.weight", {shape.width, 1, 1}, 1, false);
}

}  // namespace

std::vector<TensorPlan> plan_tensors(const Shape& shape, const Circuit* circuit,
                                     std::uint64_t seed) {
  TensorList tensors(seed);
  add_ends(tensors, shape, circuit);
  for (std::size_t layer = 0; layer < shape.layers; ++layer) {
    if (shape.is_mla()) {
      add_mla_attention(tensors, shape, circuit, layer);
    } else if (shape.is_recurrent(layer)) {
      add_recurrence(tensors, shape, layer);
    } else if (!shape.has_circuit()) {
      add_plain_attention(tensors, shape, layer);
    } else {
      add_grouped_attention(tensors, shape, circuit, layer);
    }
    add_feed_forward(tensors, shape, circuit, layer);
  }
  return tensors.take();
}

}  // namespace hearth::engine
