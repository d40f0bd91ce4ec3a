#pragma once
// Which machines may share one engine context, and which layers each takes. Internal to plan/.

#include <cstdint>
#include <variant>
#include <vector>

#include "hearth/plan/search/scene.h"

namespace hearth::plan {

// One leading machine and helpers it is wired to, as bits of node indices.
struct PoolChoice {
  std::size_t leader = 0;
  std::uint32_t helpers = 0;
  std::uint32_t members() const { return helpers | (1u << leader); }
};

// What is missing: the number that rejects a placement.
struct Shortfall {
  double needed_bytes = 0;
  double available_bytes = 0;
};

struct FillOptions {
  ContextShape shape{};
  bool for_prefill = true;
  bool for_decode = true;
  std::vector<double> taken_bytes{};  // per node, by something else of the same plan; may be empty
  bool all_members = false;           // every machine of the choice takes at least one layer
};

// Its machines, as bits of node indices.
std::uint32_t mask_of(const Pool& pool);

// Fills the machine with the lowest cost per layer first. A helper that gets no layer makes the
// choice the same as a smaller one: then the result has fewer stages than the choice has machines.
std::variant<Shortfall, Pool> fill(const Scene& scene, const PoolChoice& choice,
                                   const FillOptions& options);

// All choices for up to `exhaustive_nodes_max` machines; beyond, for each leader the cheapest
// helpers one after another (by decode and by prefill), and every pair.
inline constexpr std::size_t exhaustive_nodes_max = 6;
std::vector<PoolChoice> pool_choices(const Scene& scene);

}  // namespace hearth::plan
