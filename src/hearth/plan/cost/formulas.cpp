#include "hearth/plan/cost/formulas.h"

#include <algorithm>
#include <cmath>

namespace hearth::plan {
namespace {
constexpr double blob_cell_bytes = 12;  // position and sequence words of one cell
constexpr double activation_value_bytes = 4;
}  // namespace

std::string_view kv_type_name(KvType type) { return type == KvType::f16 ? "f16" : "q8_0"; }

double expected_experts(std::uint32_t experts, std::uint32_t experts_per_token, double tokens) {
  if (experts == 0 || tokens <= 0) return 0;
  const double miss = 1 - static_cast<double>(experts_per_token) / experts;
  return experts * (1 - std::pow(miss, tokens));
}

double touched_bytes(const ModelCard& card, const LayerWeights& layer, double tokens) {
  if (!card.mixture()) return static_cast<double>(layer.bytes());
  const double share =
      expected_experts(card.experts, card.experts_per_token, tokens) / card.experts;
  return static_cast<double>(layer.other_bytes) + static_cast<double>(layer.routed_bytes) * share;
}

double decode_read_bytes(const ModelCard& card, double streams) {
  double bytes = static_cast<double>(card.head_bytes);
  for (const LayerWeights& layer : card.layers) bytes += touched_bytes(card, layer, streams);
  return bytes;
}

std::uint64_t total_bytes(const ModelCard& card) {
  std::uint64_t bytes = card.embedding_bytes + card.head_bytes;
  for (const LayerWeights& layer : card.layers) bytes += layer.bytes();
  return bytes;
}

double attention_flop(const ModelCard& card, AttentionForm form, double depth, double new_tokens,
                      double pass_tokens) {
  const bool absorbed = form == AttentionForm::absorbed && card.attention_flop_absorbed > 0;
  const double per_pair = absorbed ? card.attention_flop_absorbed : card.attention_flop;
  const double end = depth + new_tokens;
  double flop = per_pair * (end * end - depth * depth) / 2;
  if (card.sliding_window > 0) {
    flop += card.sliding_attention_flop * new_tokens *
            std::min<double>(card.sliding_window, depth + new_tokens / 2);
  }
  if (!absorbed && card.kv_up_flop > 0 && pass_tokens > 0) {
    for (double at = depth; at < end; at += pass_tokens) {
      flop += card.kv_up_flop * std::min(at + pass_tokens, end);
    }
  }
  return flop;
}

double linear_flop(const ModelCard& card, double new_tokens) {
  return card.linear_flop_per_token * new_tokens;
}

double kv_bytes(const ModelCard& card, KvType type, double tokens) {
  const double growing = static_cast<double>(type == KvType::f16 ? card.kv_bytes_per_token_f16
                                                                 : card.kv_bytes_per_token_q8_0);
  const double ratio = card.kv_bytes_per_token_f16 > 0
                           ? growing / static_cast<double>(card.kv_bytes_per_token_f16)
                           : 1.0;
  const double windowed = static_cast<double>(card.kv_bytes_per_token_sliding_f16) * ratio *
                          std::min<double>(card.sliding_window, tokens);
  return growing * tokens + windowed + static_cast<double>(card.recurrent_state_bytes);
}

double handoff_bytes(const ModelCard& card, KvType type, double tokens) {
  return kv_bytes(card, type, tokens) + blob_cell_bytes * tokens;
}

double activation_bytes(const ModelCard& card, double tokens) {
  return static_cast<double>(card.hidden) * activation_value_bytes * tokens;
}

}  // namespace hearth::plan
