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

// Time over the prior's time, in logs: of the part that does not depend on the context, and of the one that does.
struct LogFactors {
  double base = 0;
  double context = 0;
};

// Between two measured depths; the first goes down to 0, the last on for ever.
struct DepthStretch {
  double from_tokens = 0;
  double until_tokens = 0;
  // Equal where one pair explains both depths: then time is linear in the context. Else in between by the context.
  LogFactors from{};
  LogFactors until{};

  LogFactors at(double context_tokens) const;
};

struct Rate {
  LogFactors log_factors{};  // they differ only where both were measured
  double log_sd = 0;
  std::vector<std::string> calibrated_from{};
  std::vector<DepthStretch> by_depth{};  // instead of log_factors, where there are any
  bool holds_pool_passes = false;        // measured over RPC, with all layers there

  LogFactors at(double context_tokens) const;
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
