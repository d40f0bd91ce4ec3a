#pragma once
// The tensors of each architecture.

#include <optional>

#include "hearth/engine/synth/circuit.h"
#include "hearth/engine/synth/tensor_plan.h"

namespace hearth::engine {

// All tensors in file order. Without a circuit every matrix is random.
std::vector<TensorPlan> plan_tensors(const Shape& shape, const Circuit* circuit,
                                     std::uint64_t seed);

// One layer's attention, from attn_norm to attn_output.
void add_mla_attention(TensorList& tensors, const Shape& shape, const Circuit* circuit,
                       std::size_t layer);
// Without a circuit: gpt-oss with its biases and sinks, qwen35moe with its gate.
void add_plain_attention(TensorList& tensors, const Shape& shape, std::size_t layer);
// A layer with a recurrent state instead of attention (gated delta net).
void add_recurrence(TensorList& tensors, const Shape& shape, std::size_t layer);
void add_grouped_attention(TensorList& tensors, const Shape& shape, const Circuit* circuit,
                           std::size_t layer);

}  // namespace hearth::engine
