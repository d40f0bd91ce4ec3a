#pragma once
// Which engines of the catalogue could run a plan, and what stops the others. Pure.

#include <string>
#include <vector>

#include "hearth/plan/catalog/catalog.h"
#include "hearth/plan/plan.h"

namespace hearth::plan {

struct EngineFit {
  std::string engine{};
  std::string version{};
  std::string as_of{};
  std::string source{};
  std::vector<std::string> blocked_by{};  // empty: it could run this plan
  std::vector<std::string> caveats{};     // known trouble of an engine that could
  bool can_run() const { return blocked_by.empty(); }
};

std::vector<EngineFit> engines_for(const Catalog& catalog, const ClusterSpec& spec,
                                   const ModelCard& card, const Plan& plan);

// The first plan of `result` with known rates that some engine of the catalogue can run, hence the
// best such; nullptr when none can. It points into `result`.
const Plan* best_runnable(const Catalog& catalog, const ClusterSpec& spec, const ModelCard& card,
                          const SearchResult& result);

}  // namespace hearth::plan
