#include "hearth/plan/search/pools.h"

#include <algorithm>
#include <bit>
#include <numeric>
#include <set>

#include "hearth/base/check.h"

namespace hearth::plan {
namespace {

// Layers [first, …) that fit into `free_bytes` on this machine, at most `most`.
std::uint32_t layers_that_fit(const Scene& scene, Stage stage, const ContextShape& shape,
                              double free_bytes, std::uint32_t most) {
  // Weights and KV grow with the count and the buffers do not shrink: bisect the monotone total.
  std::uint32_t low = 0;
  std::uint32_t high = most;
  while (low < high) {
    const std::uint32_t middle = low + (high - low + 1) / 2;
    stage.count = middle;
    if (scene.memory(stage, shape).total_bytes() <= free_bytes) {
      low = middle;
    } else {
      high = middle - 1;
    }
  }
  return low;
}

std::vector<std::size_t> members_by_cost(const Scene& scene, const PoolChoice& choice, bool prefill,
                                         bool decode) {
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < scene.spec().nodes.size(); ++i) {
    if (choice.members() >> i & 1u) order.push_back(i);
  }
  std::vector<double> cost(scene.spec().nodes.size());
  for (const std::size_t i : order) cost[i] = scene.layer_cost_s(i, prefill, decode);
  std::ranges::stable_sort(order, [&](std::size_t a, std::size_t b) { return cost[a] < cost[b]; });
  return order;
}

}  // namespace

std::uint32_t mask_of(const Pool& pool) {
  std::uint32_t mask = 0;
  for (const Stage& stage : pool) mask |= 1u << stage.node;
  return mask;
}

std::variant<Shortfall, Pool> fill(const Scene& scene, const PoolChoice& choice,
                                   const FillOptions& options) {
  const std::uint32_t end = scene.layers();
  std::uint32_t next = 0;
  Pool pool;
  Shortfall shortfall;
  bool everyone_served = true;
  const std::vector<std::size_t> order =
      members_by_cost(scene, choice, options.for_prefill, options.for_decode);
  for (std::size_t k = 0; k < order.size(); ++k) {
    const std::size_t node = order[k];
    const double taken = options.taken_bytes.empty() ? 0 : options.taken_bytes[node];
    const double free = static_cast<double>(scene.spec().nodes[node].usable_bytes) - taken;
    Stage stage{.node = node, .first = next, .count = 0, .leads = node == choice.leader};
    const double base_bytes = scene.memory(stage, options.shape).total_bytes();
    shortfall.available_bytes += std::max(0.0, free);
    shortfall.needed_bytes += base_bytes;
    // A leading machine that cannot even hold embedding, head and buffers leads nothing.
    if (stage.leads && base_bytes > free) everyone_served = false;
    const auto waiting = static_cast<std::uint32_t>(order.size() - k - 1);
    const std::uint32_t kept_back = options.all_members ? std::min(waiting, end - next) : 0;
    stage.count = layers_that_fit(scene, stage, options.shape, free, end - next - kept_back);
    next += stage.count;
    if (options.all_members && stage.count == 0) everyone_served = false;
    if (stage.count > 0 || stage.leads) pool.push_back(stage);
  }
  if (next < end || !everyone_served) {
    const Stage all{.node = choice.leader, .first = 0, .count = end, .leads = false};
    const MemoryUse use = scene.memory(all, options.shape);
    shortfall.needed_bytes += use.weights_bytes + use.kv_bytes;
    return shortfall;
  }
  std::ranges::stable_partition(pool, [](const Stage& stage) { return stage.leads; });
  return pool;
}

std::vector<PoolChoice> pool_choices(const Scene& scene) {
  const std::size_t n = scene.spec().nodes.size();
  CHECK(n <= nodes_max);
  std::vector<PoolChoice> out;
  std::set<std::pair<std::size_t, std::uint32_t>> seen;
  const auto add = [&](std::size_t leader, std::uint32_t helpers) {
    if (seen.insert({leader, helpers}).second) out.push_back({leader, helpers});
  };
  for (std::size_t leader = 0; leader < n; ++leader) {
    std::vector<std::size_t> reachable;
    for (std::size_t i = 0; i < n; ++i) {
      if (i != leader && scene.spec().between(leader, i)) reachable.push_back(i);
    }
    add(leader, 0);
    if (n <= exhaustive_nodes_max) {
      for (std::uint32_t mask = 1; mask < 1u << reachable.size(); ++mask) {
        std::uint32_t helpers = 0;
        for (std::size_t k = 0; k < reachable.size(); ++k) {
          if (mask >> k & 1u) helpers |= 1u << reachable[k];
        }
        add(leader, helpers);
      }
      continue;
    }
    for (const std::size_t i : reachable) add(leader, 1u << i);
    for (const bool decode : {true, false}) {
      std::vector<std::size_t> order = reachable;
      std::vector<double> cost(n);
      for (const std::size_t i : order) cost[i] = scene.layer_cost_s(i, !decode, decode);
      std::ranges::stable_sort(order,
                               [&](std::size_t a, std::size_t b) { return cost[a] < cost[b]; });
      std::uint32_t helpers = 0;
      for (const std::size_t i : order) add(leader, helpers |= 1u << i);
    }
  }
  return out;
}

}  // namespace hearth::plan
