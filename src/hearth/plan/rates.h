#pragma once
// How fast one machine of the cluster computes one model, with how sure that is and what it rests
// on.
//
// Order of trust: runs of the same model on the machine itself, a rate given by its owner,
// measurements of the same and like things (calibration), the catalogue's prior range, and then "unknown". Pure.

#include <optional>
#include <string>
#include <vector>

#include "hearth/plan/cluster.h"
#include "hearth/plan/cost/evidence.h"

namespace hearth::plan {

// Factors of one stretch of contexts.
struct DepthFactors {
  double until_tokens = 0;
  double log_factor = 0;
  double context_log_factor = 0;
};

struct Rate {
  double log_factor = 0;  // time over the prior's time, in logs
  // The same for the part that grows with the context. Differs only where both were measured.
  double context_log_factor = 0;
  double log_sd = 0;
  std::vector<std::string> calibrated_from{};
  std::vector<DepthFactors> by_depth{};  // instead of the two above, where there are any

  DepthFactors at(double context_tokens) const;
  void shift(double log_shift);
};

struct NodeRates {
  std::optional<Rate> prefill{};
  std::optional<Rate> decode{};
  double overhead_per_layer_s = 0;
};

struct Calibrations {
  Calibration prefill{};
  Calibration decode{};
};
Calibrations calibrations_of(const Catalog& catalog);

// `kernels` are those of the engine that runs the plan ("llama.cpp" for Hearth).
NodeRates rates_of(const Node& node, const ModelCard& card, const Calibrations& calibrations,
                   std::string_view kernels, double attention_share);

}  // namespace hearth::plan
