#include "hearth/plan/cost/priors.h"

#include <algorithm>
#include <cmath>

namespace hearth::plan {
namespace {
constexpr double metal_layer_overhead_s = 0.20e-3;
constexpr double cuda_layer_overhead_s = 0.03e-3;
constexpr double bytes_per_gb = 1e9;
}  // namespace

std::optional<double> layer_overhead_s(std::string_view backend) {
  if (backend == "metal") return metal_layer_overhead_s;
  if (backend == "cuda") return cuda_layer_overhead_s;
  if (backend == "cpu") return 0.0;  // no launches; threads meet once per operation
  return std::nullopt;
}

double PrefillParts::attention_share() const {
  const double flop_s = linear_s + attention_s;
  return flop_s > 0 ? attention_s / flop_s : 0;
}

PrefillParts prefill_prior(const ModelCard& card, const PrefillWork& work, double bandwidth_gb_s,
                           double overhead_per_layer_s) {
  const double pass = std::max(1.0, std::min(work.ubatch, work.new_tokens));
  const double passes = std::ceil(work.new_tokens / pass);
  double touched = 0;
  for (const LayerWeights& layer : card.layers) touched += touched_bytes(card, layer, pass);
  PrefillParts parts;
  parts.linear_s = linear_flop(card, work.new_tokens) / prior_flop_s;
  parts.attention_s =
      attention_flop(card, work.form, work.depth, work.new_tokens, pass) / prior_flop_s;
  parts.weights_s = passes * touched / (prior_bandwidth_efficiency * bandwidth_gb_s * bytes_per_gb);
  parts.overhead_s = passes * overhead_per_layer_s * static_cast<double>(card.layers.size());
  return parts;
}

DecodeParts decode_prior(const ModelCard& card, AttentionForm form, KvType kv, double context,
                         double streams, double bandwidth_gb_s, double overhead_per_layer_s) {
  const double bytes_s = prior_bandwidth_efficiency * bandwidth_gb_s * bytes_per_gb;
  const bool absorbed = form == AttentionForm::absorbed && card.attention_flop_absorbed > 0;
  DecodeParts parts;
  parts.weights_s = decode_read_bytes(card, streams) / bytes_s;
  parts.kv_s = streams * kv_bytes(card, kv, context) / bytes_s;
  parts.attention_s = streams * context *
                      (absorbed ? card.attention_flop_absorbed : card.attention_flop) /
                      prior_flop_s;
  parts.layers_s = overhead_per_layer_s * static_cast<double>(card.layers.size());
  return parts;
}

AttentionForm prefill_form(std::string_view kernels) {
  return kernels == "llama.cpp" ? AttentionForm::absorbed : AttentionForm::expanded;
}

}  // namespace hearth::plan
