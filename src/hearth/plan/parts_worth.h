#pragma once
// What each machine and cable is worth, by planning without it. Internal to plan/.

#include "hearth/plan/explain.h"
#include "hearth/plan/search/scene.h"

namespace hearth::plan {

// For searches that only compare.
Options without_curve(Options options);
// The cluster less some of its nodes, with the wires among the rest.
ClusterSpec without_nodes(const ClusterSpec& spec, const std::vector<std::size_t>& gone);

std::vector<Marginal> marginal_worths(const Question& question, const SearchResult& base);
// Of pools with KV of this type only, if it is given.
std::vector<PoolEffect> pool_effects(const Scene& scene, std::optional<KvType> only_kv);
// All machines, layers in proportion to their memory: what placement by memory alone would do.
std::optional<double> decode_rate_by_memory(const Scene& scene, std::optional<KvType> only_kv);

}  // namespace hearth::plan
