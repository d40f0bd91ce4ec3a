// What each machine does to decoding when one model is spread over all of them.

#include <algorithm>
#include <bit>
#include <cmath>

#include "hearth/plan/parts_worth.h"
#include "hearth/plan/search/pools.h"

namespace hearth::plan {
namespace {

constexpr double noticeable = 0.005;  // between pools that differ in one layer

std::optional<double> decode_rate(const Scene& scene, const Pool& pool, KvType kv) {
  const auto step = scene.decode_step(pool, kv, static_cast<double>(scene.workload().prompt_tokens),
                                      scene.workload().streams);
  if (!step) return std::nullopt;
  return 1 / step->seconds();
}

ContextShape pool_shape(const Scene& scene, KvType kv) {
  return {.context_tokens = scene.workload().context_tokens,
          .streams = scene.workload().streams,
          .ubatch = 512,
          .kv = kv,
          .leads = false,
          .hands_off = false};
}

void keep_better(std::optional<double>& best, std::optional<double> rate) {
  if (rate && (!best || *rate > *best)) best = rate;
}

std::optional<double> filled_rate(const Scene& scene, const PoolChoice& choice, KvType kv,
                                  bool all_members) {
  FillOptions options{.shape = pool_shape(scene, kv)};
  options.for_prefill = false;
  options.all_members = all_members;
  const auto result = fill(scene, choice, options);
  const auto* pool = std::get_if<Pool>(&result);
  return pool ? decode_rate(scene, *pool, kv) : std::nullopt;
}

// Does the model need one of this kind, because the other machines cannot hold it? Where there are no others,
// the question is none.
bool needs_one_of_kind(const Scene& scene, const std::vector<PoolChoice>& choices, std::size_t node,
                       KvType smallest_kv) {
  const std::vector<Node>& nodes = scene.spec().nodes;
  std::uint32_t kind = 0;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    if (nodes[i].chip == nodes[node].chip) kind |= 1u << i;
  }
  if (static_cast<std::size_t>(std::popcount(kind)) == nodes.size()) return false;
  return std::ranges::none_of(choices, [&](const PoolChoice& choice) {
    if ((choice.members() & kind) != 0) return false;
    return filled_rate(scene, choice, smallest_kv, /*all_members=*/false).has_value();
  });
}

}  // namespace

std::vector<PoolEffect> pool_effects(const Scene& scene, std::optional<KvType> only_kv) {
  std::vector<PoolEffect> out;
  const std::vector<PoolChoice> choices = pool_choices(scene);
  for (std::size_t node = 0; node < scene.spec().nodes.size(); ++node) {
    PoolEffect effect{
        .node = node, .decode_tok_s_with = {}, .decode_tok_s_without = {}, .verdict = {}};
    for (const KvType kv : {KvType::f16, KvType::q8_0}) {
      if (only_kv && kv != *only_kv) continue;
      for (const PoolChoice& choice : choices) {
        const bool member = choice.members() >> node & 1u;
        keep_better(member ? effect.decode_tok_s_with : effect.decode_tok_s_without,
                    filled_rate(scene, choice, kv, /*all_members=*/member));
      }
    }
    if (!effect.decode_tok_s_with) {
      effect.verdict = "cannot take part";
    } else if (!effect.decode_tok_s_without) {
      effect.verdict = "needed: without it the model does not fit";
    } else {
      const double change = *effect.decode_tok_s_with / *effect.decode_tok_s_without - 1;
      effect.verdict = change > noticeable    ? "helps"
                       : change < -noticeable ? "hurts"
                                              : "makes no difference";
      if (change >= -noticeable && needs_one_of_kind(scene, choices, node, only_kv.value_or(KvType::q8_0))) {
        effect.verdict = "needed, or another of its kind: the other machines cannot hold the model";
      }
    }
    out.push_back(std::move(effect));
  }
  return out;
}

std::optional<double> decode_rate_by_memory(const Scene& scene, std::optional<KvType> only_kv) {
  const ClusterSpec& spec = scene.spec();
  double usable = 0;
  for (const Node& node : spec.nodes) usable += static_cast<double>(node.usable_bytes);
  for (std::size_t leader = 0; leader < spec.nodes.size(); ++leader) {
    Pool pool;
    std::uint32_t next = 0;
    double target = 0;
    bool wired = true;
    for (std::size_t k = 0; k < spec.nodes.size(); ++k) {
      const std::size_t i = (leader + k) % spec.nodes.size();
      wired = wired && (i == leader || spec.between(leader, i));
      target += static_cast<double>(spec.nodes[i].usable_bytes) / usable * scene.layers();
      const auto end = std::min(scene.layers(), static_cast<std::uint32_t>(std::lround(target)));
      pool.push_back({.node = i, .first = next, .count = end - next, .leads = i == leader});
      next = end;
    }
    if (wired && next == scene.layers()) return decode_rate(scene, pool, only_kv.value_or(KvType::f16));
  }
  return std::nullopt;
}

}  // namespace hearth::plan
