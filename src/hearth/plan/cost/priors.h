#pragma once
// Seconds a phase would take on an average machine of its backend, split into components. What real
// machines and kernels do differently is learned from measurements (calibration.h) as one factor.
//
// Every constant here is a rough physical prior shared by all machines; docs/cost_model.md gives
// the source of each.

#include <optional>
#include <string_view>

#include "hearth/plan/cost/formulas.h"

namespace hearth::plan {

// Typical effective arithmetic rate of a machine that people run models on.
inline constexpr double prior_flop_s = 12e12;
// Share of the memory bandwidth that decode reaches on weights and KV.
inline constexpr double prior_bandwidth_efficiency = 0.78;

// Fixed time per layer and token (kernel launches, synchronisation, expert selection); nothing for
// a backend nobody measured.
std::optional<double> layer_overhead_s(std::string_view backend);

struct PrefillParts {
  double linear_s = 0;
  double attention_s = 0;
  double weights_s = 0;   // reading the touched weights; overlaps with linear_s
  double overhead_s = 0;  // per pass
  double total_s() const {
    return (linear_s > weights_s ? linear_s : weights_s) + attention_s + overhead_s;
  }
  double attention_share() const;
};
struct PrefillWork {
  AttentionForm form = AttentionForm::absorbed;
  double depth = 0;
  double new_tokens = 0;
  double ubatch = 512;
};
// All layers on one machine.
PrefillParts prefill_prior(const ModelCard& card, const PrefillWork& work, double bandwidth_gb_s,
                           double overhead_per_layer_s);

struct DecodeParts {
  double weights_s = 0;
  double kv_s = 0;
  double attention_s = 0;  // arithmetic over the context; overlaps with kv_s
  double layers_s = 0;
  double base_s() const { return weights_s + layers_s; }
  double context_s() const { return kv_s > attention_s ? kv_s : attention_s; }
  double total_s() const { return base_s() + context_s(); }
};
// One step of `streams` sequences, each `context` tokens long, all layers on one machine.
DecodeParts decode_prior(const ModelCard& card, AttentionForm form, KvType kv, double context,
                         double streams, double bandwidth_gb_s, double overhead_per_layer_s);

// libllama keeps MLA absorbed in prefill too; MLX and vLLM expand it. Decode is absorbed
// everywhere.
AttentionForm prefill_form(std::string_view kernels);

}  // namespace hearth::plan
