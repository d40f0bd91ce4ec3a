#pragma once
// What runs of a model on a machine say about other prompts of the same model there: one factor for
// the part of the prior's time that does not depend on the context, one for the part that does.
// Fitted to all runs of a phase at once, by least squares of relative errors. Pure.

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "hearth/plan/cluster.h"
#include "hearth/plan/cost/card.h"
#include "hearth/plan/cost/evidence.h"
#include "hearth/plan/rates.h"

namespace hearth::plan {

struct TimedParts {
  double base_s = 0;  // of the prior
  double context_s = 0;
  double measured_s = 0;
};

struct OwnFactors {
  double base = 1;
  double context = 1;
  double log_sd = 0;  // of a prediction
  bool parts_told_apart = false;  // else base and context are one factor
  bool hold_pool_passes = false;  // of runs over RPC
  std::vector<std::string> ids{};
  // Decode at three depths or more: through each of them, as the KV leaves the caches on the way.
  std::vector<DepthStretch> by_depth{};
};

// Both factors are positive; they are equal where the runs cannot tell the parts apart.
OwnFactors fit_factors(std::span<const TimedParts> runs);

// Nothing when the machine has no run of this phase with a file of this shape and size.
std::optional<OwnFactors> own_factors(const Node& node, const ModelCard& card, Phase phase,
                                      AttentionForm form);

}  // namespace hearth::plan
