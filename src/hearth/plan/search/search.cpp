#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "hearth/plan/search/generate.h"

namespace hearth::plan {
namespace {

// One phase may be this much slower in the plan that drops another: nobody adds a machine for less.
constexpr double phase_tolerance = 1.05;

bool unproven(Family family) {
  return family == Family::streamed || family == Family::low_bit_copy;
}

// Faster over a whole turn, not clearly slower in either phase, on machines the other uses as well.
// What nobody has run yet drops nothing that can be run today.
bool dominates(const Candidate& a, const Candidate& b) {
  if (!a.timed || !b.timed || (unproven(a.layout.family) && !unproven(b.layout.family)))
    return false;
  const bool subset = (a.machines & ~b.machines) == 0;
  const bool no_worse = a.turn_s <= b.turn_s && a.ttft_s <= b.ttft_s * phase_tolerance &&
                        a.step_s <= b.step_s * phase_tolerance;
  const bool better = a.machines != b.machines || a.turn_s < b.turn_s;
  return subset && no_worse && better;
}

// Equal machines in equal roles: one of them is enough to show.
bool same_but_for_names(const Scene& scene, const Candidate& a, const Candidate& b) {
  if (a.layout.family != b.layout.family || a.turn_s != b.turn_s || a.ttft_s != b.ttft_s)
    return false;
  const auto chips = [&](std::uint32_t machines) {
    std::vector<std::string> out;
    for (std::size_t i = 0; i < scene.spec().nodes.size(); ++i) {
      if (machines >> i & 1u) out.push_back(scene.spec().nodes[i].chip);
    }
    std::ranges::sort(out);
    return out;
  };
  return chips(a.machines) == chips(b.machines);
}

std::string label(const Scene& scene, const Candidate& candidate) {
  std::string out(family_name(candidate.layout.family));
  out += " on";
  for (std::size_t i = 0; i < scene.spec().nodes.size(); ++i) {
    if (candidate.machines >> i & 1u) out += " " + scene.spec().nodes[i].name;
  }
  return out;
}

// New tokens from which this layout's first token comes sooner than prefilling where it decodes.
std::optional<double> break_even(const Scene& scene, const Scene& prefill_scene,
                                 const Layout& layout) {
  const double depth = static_cast<double>(scene.workload().cached_tokens());
  const Layout local{.family = layout.decode.size() == 1 ? Family::alone : Family::pooled,
                     .decode = layout.decode,
                     .kv = layout.kv,
                     .ubatch = layout.ubatch};
  const auto gain = [&](double tokens) {
    const auto here = time_of(scene, scene, local, depth, tokens);
    const auto there = time_of(scene, prefill_scene, layout, depth, tokens);
    return here && there ? here->first.seconds() - there->first.seconds() : -1.0;
  };
  constexpr double tokens_max = 262144;
  double tokens = 1;
  while (tokens <= tokens_max && gain(tokens) <= 0) tokens *= 2;
  if (tokens > tokens_max) return std::nullopt;
  double low = tokens / 2;
  for (int i = 0; i < 20; ++i) {
    const double middle = (low + tokens) / 2;
    (gain(middle) > 0 ? tokens : low) = middle;
  }
  return std::ceil(tokens);
}

std::vector<std::string> assumptions_of(const Layout& layout) {
  std::vector<std::string> out;
  switch (layout.family) {
    case Family::alone:
      break;
    case Family::pooled:
      out.push_back("one pass at a time through the machines; layers over ggml RPC");
      break;
    case Family::split:
      out.push_back(
          "KV made by one backend is exact on the other: to be checked on these machines");
      break;
    case Family::gathered:
      out.push_back(
          "KV of remote layers gathered over RPC: exact on CPU hosts, aborts reported with CUDA "
          "servers");
      break;
    case Family::streamed:
      out.push_back(
          "weights are read layer by layer while others compute; libllama's API does not do that "
          "yet");
      if (layout.streams_over_wires)
        out.push_back("some weights come over the wire from the machine that decodes");
      break;
    case Family::low_bit_copy:
      out.push_back("KV from other weights: only within a stated quality budget");
      break;
    case Family::split_pooled:
      out.push_back("two pooled contexts; KV gathered on one side and spread on the other");
      break;
  }
  return out;
}

std::vector<const Candidate*> undominated(const std::vector<Candidate>& candidates,
                                          const Scene& scene, std::vector<Dominated>& dominated) {
  std::vector<const Candidate*> kept;
  for (const Family family : all_families()) {
    const Candidate* best = nullptr;
    bool any_kept = false;
    for (const Candidate& candidate : candidates) {
      if (candidate.layout.family != family) continue;
      if (!best || (candidate.timed && (!best->timed || candidate.turn_s < best->turn_s)))
        best = &candidate;
      const bool beaten = std::ranges::any_of(
          candidates, [&](const Candidate& other) { return dominates(other, candidate); });
      const bool twin = std::ranges::any_of(kept, [&](const Candidate* other) {
        return same_but_for_names(scene, *other, candidate);
      });
      if (beaten || twin || (!candidate.timed && any_kept)) continue;
      kept.push_back(&candidate);
      any_kept = true;
    }
    if (!best || any_kept) continue;
    const Candidate* by = nullptr;
    for (const Candidate& other : candidates) {
      if (dominates(other, *best) && (!by || other.turn_s < by->turn_s)) by = &other;
    }
    dominated.push_back({family, label(scene, *by), best->turn_s});
  }
  return kept;
}

}  // namespace

SearchResult search(const ClusterSpec& spec, const ModelCard& card, const Workload& workload,
                    const Calibrations& calibrations, const Options& options,
                    const std::optional<RateShift>& shift) {
  Scene scene(spec, card, workload, calibrations, options.kernels);
  std::vector<Scene> copy_scenes;
  copy_scenes.reserve(options.low_bit_copies.size());
  std::vector<CopyScene> copies;
  for (const ModelCard& copy : options.low_bit_copies) {
    copy_scenes.emplace_back(spec, copy, workload, calibrations, options.kernels);
    copies.push_back({&copy, &copy_scenes.back()});
  }
  if (shift) {
    const Phase phase = shift->prefill ? Phase::prefill : Phase::decode;
    scene.shift_rate(shift->node, phase, shift->log_shift);
    for (Scene& copy : copy_scenes) copy.shift_rate(shift->node, phase, shift->log_shift);
  }
  const Generated generated = generate(scene, copies, options);
  SearchResult out;
  out.rejected = generated.rejected;
  out.stats = generated.stats;
  std::vector<const Candidate*> kept = undominated(generated.candidates, scene, out.dominated);
  std::ranges::stable_sort(kept, [](const Candidate* a, const Candidate* b) {
    if (a->timed != b->timed) return a->timed;
    if (a->turn_s != b->turn_s) return a->turn_s < b->turn_s;
    return std::popcount(a->machines) < std::popcount(b->machines);
  });
  for (const Candidate* candidate : kept) {
    const Scene* prefill_scene = &scene;
    for (const CopyScene& copy : copies) {
      if (copy.card == candidate->layout.prefill_card) prefill_scene = copy.scene;
    }
    Plan plan = make_plan(scene, *prefill_scene, candidate->layout, options.with_curve);
    plan.assumptions = assumptions_of(candidate->layout);
    if (!candidate->layout.prefill.empty() && options.with_curve) {
      plan.break_even_tokens = break_even(scene, *prefill_scene, candidate->layout);
    }
    out.plans.push_back(std::move(plan));
  }
  return out;
}

std::uint32_t Plan::machines() const {
  std::uint32_t mask = 0;
  for (const Placement& placement : placements) mask |= 1u << placement.node;
  return mask;
}

std::string_view family_name(Family family) {
  switch (family) {
    case Family::alone:
      return "alone";
    case Family::pooled:
      return "pooled";
    case Family::split:
      return "split";
    case Family::gathered:
      return "gathered";
    case Family::streamed:
      return "streamed";
    case Family::low_bit_copy:
      return "low-bit-copy";
    case Family::split_pooled:
      return "split-pooled";
  }
  return "?";
}

std::string_view family_title(Family family) {
  switch (family) {
    case Family::alone:
      return "one machine does everything";
    case Family::pooled:
      return "one model spread over machines";
    case Family::split:
      return "prefill on one machine, decode on another";
    case Family::gathered:
      return "prefill spread over helpers, decode in one place";
    case Family::streamed:
      return "prefill reads weights from storage";
    case Family::low_bit_copy:
      return "prefill with a smaller copy of the model";
    case Family::split_pooled:
      return "prefill and decode each spread over machines";
  }
  return "?";
}

const std::vector<Family>& all_families() {
  static const std::vector<Family> all = {
      Family::alone,    Family::pooled,       Family::split,       Family::gathered,
      Family::streamed, Family::low_bit_copy, Family::split_pooled};
  return all;
}

std::string placement_text(const ClusterSpec& spec, const Plan& plan) {
  std::string out;
  for (const std::string_view role : {"both", "prefill", "decode"}) {
    std::string part;
    for (const Placement& placement : plan.placements) {
      if (placement.role != role) continue;
      const std::string layers =
          placement.layers > 0 ? std::to_string(placement.layers) : "(leads only)";
      part += fmt::format("{}{} {}", part.empty() ? "" : " + ", spec.nodes[placement.node].name,
                          layers);
    }
    if (part.empty()) continue;
    if (!out.empty()) out += "; ";
    out += role == "both" ? part : fmt::format("{} {}", role, part);
  }
  return out;
}

}  // namespace hearth::plan
