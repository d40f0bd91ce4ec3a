#pragma once
// The arithmetic of the cost model, without a single measured number: FLOPs, bytes and shares that
// follow from a model's dimensions. Units are in the names; docs/cost_model.md derives each one.

#include <cstdint>

#include "hearth/plan/cost/card.h"

namespace hearth::plan {

enum class KvType : std::uint8_t { f16, q8_0 };
std::string_view kv_type_name(KvType type);

// Distinct experts a pass over `tokens` tokens touches when routing is even: E (1 - (1 - k/E)^T).
double expected_experts(std::uint32_t experts, std::uint32_t experts_per_token, double tokens);

// Bytes of this layer that a pass over `tokens` tokens reads.
double touched_bytes(const ModelCard& card, const LayerWeights& layer, double tokens);
// Of all layers and the head, for `streams` sequences that decode one token together.
double decode_read_bytes(const ModelCard& card, double streams);
std::uint64_t total_bytes(const ModelCard& card);

// Attention FLOPs of `new_tokens` tokens computed after `depth` tokens, all layers, one sequence.
// `pass_tokens` matters for the expanded form of MLA, which expands the cache once per pass.
double attention_flop(const ModelCard& card, AttentionForm form, double depth, double new_tokens,
                      double pass_tokens);
double linear_flop(const ModelCard& card, double new_tokens);

// KV of one sequence holding `tokens` tokens, all layers, with recurrent state. Without the 12
// bytes of cell metadata per token that a state blob adds.
double kv_bytes(const ModelCard& card, KvType type, double tokens);
// What the hand-off of `tokens` tokens moves: with that metadata.
double handoff_bytes(const ModelCard& card, KvType type, double tokens);

// Activations that cross a machine boundary per token: hidden values as f32.
double activation_bytes(const ModelCard& card, double tokens);

}  // namespace hearth::plan
