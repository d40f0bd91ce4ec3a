#include "hearth/plan/explain.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>

#include "hearth/plan/search/pools.h"

namespace hearth::plan {
namespace {

constexpr double noticeable = 0.02;       // smaller changes of a turn are called none
constexpr double noticeable_pool = 0.005;  // between pools that differ in one layer
// Beyond six machines only so many are taken away in turn: each costs a search.
constexpr std::size_t marginal_searches_max = 6;
constexpr std::string_view faster_link = "25gbe-thunderbolt-nic";

Options quiet(Options options) {
  options.with_curve = false;
  return options;
}

const Plan* best_runnable(const Question& q, const ClusterSpec& spec, const SearchResult& result) {
  for (const Plan& plan : result.plans) {
    if (!plan.turn_s) continue;
    const auto fits = engines_for(*q.catalog, spec, q.card, plan);
    if (std::ranges::any_of(fits, &EngineFit::can_run)) return &plan;
  }
  return nullptr;
}

ClusterSpec without_node(const ClusterSpec& spec, const std::set<std::size_t>& gone) {
  ClusterSpec out{.name = spec.name, .nodes = {}, .wires = {}};
  std::map<std::size_t, std::size_t> index;
  for (std::size_t i = 0; i < spec.nodes.size(); ++i) {
    if (gone.contains(i)) continue;
    index[i] = out.nodes.size();
    out.nodes.push_back(spec.nodes[i]);
  }
  for (Wire wire : spec.wires) {
    if (!index.contains(wire.a) || !index.contains(wire.b)) continue;
    wire.a = index[wire.a];
    wire.b = index[wire.b];
    out.wires.push_back(std::move(wire));
  }
  return out;
}

std::string percent_change(double before, double after) {
  const double change = after / before - 1;
  if (std::abs(change) < noticeable) return "no change";
  return change > 0 ? fmt::format("{:.0f} % slower", 100 * change)
                    : fmt::format("{:.0f} % faster", -100 * change);
}

class Comparison {
 public:
  explicit Comparison(const Question& q, const SearchResult& base) : q_(q) {
    before_ = best_runnable(q, q.cluster, base);
  }

  Marginal unchanged(std::string without, std::string with) const {
    Marginal out{.without = std::move(without), .with = std::move(with), .effect = "no change",
                 .turn_s_before = {}, .turn_s_after = {}, .decode_tok_s_before = {},
                 .decode_tok_s_after = {}};
    if (before_) {
      out.turn_s_before = out.turn_s_after = before_->turn_s->p50;
      out.decode_tok_s_before = out.decode_tok_s_after = before_->decode_tok_s->p50;
    }
    return out;
  }

  Marginal compare(const ClusterSpec& changed, std::string without, std::string with) const {
    Marginal out{.without = std::move(without), .with = std::move(with), .effect = {},
                 .turn_s_before = {}, .turn_s_after = {}, .decode_tok_s_before = {},
                 .decode_tok_s_after = {}};
    const SearchResult result =
        changed.nodes.empty() ? SearchResult{}
                              : search(changed, q_.card, q_.workload, *q_.calibrations, quiet(q_.options));
    const Plan* after = best_runnable(q_, changed, result);
    if (before_) {
      out.turn_s_before = before_->turn_s->p50;
      out.decode_tok_s_before = before_->decode_tok_s->p50;
    }
    if (after) {
      out.turn_s_after = after->turn_s->p50;
      out.decode_tok_s_after = after->decode_tok_s->p50;
    }
    out.effect = effect_text(out, after, changed);
    return out;
  }

 private:
  std::string effect_text(const Marginal& m, const Plan* after, const ClusterSpec& changed) const {
    if (!after) {
      return before_ ? "no plan that an engine can run is left" : "still no plan that an engine can run";
    }
    const std::string where = fmt::format("{} ({})", family_name(after->family), placement_text(changed, *after));
    if (!before_) return fmt::format("makes it possible: {}", where);
    const std::string change = percent_change(*m.turn_s_before, *m.turn_s_after);
    if (change == "no change") return "no change";
    return fmt::format("a turn is {} ({:.0f} s instead of {:.0f} s): {}", change, *m.turn_s_after,
                       *m.turn_s_before, where);
  }

  const Question& q_;
  const Plan* before_ = nullptr;
};

// A plan uses its machines, and wires that begin or end at a leading one. What it does not use can be
// taken away without changing it, so no search is needed to know that.
struct Used {
  std::uint32_t machines = 0;
  std::uint32_t leaders = 0;
  explicit Used(const Plan* plan) {
    if (!plan) return;
    machines = plan->machines();
    for (const Placement& placement : plan->placements) {
      if (placement.leads) leaders |= 1u << placement.node;
    }
  }
  bool node(std::size_t i) const { return machines >> i & 1u; }
  bool wire(const Wire& w) const {
    return node(w.a) && node(w.b) && ((leaders >> w.a | leaders >> w.b) & 1u) != 0;
  }
};

class Marginals {
 public:
  Marginals(const Question& q, const SearchResult& base)
      : spec_(q.cluster), catalog_(*q.catalog), comparison_(q, base), used_(best_runnable(q, q.cluster, base)) {
    const bool many = spec_.nodes.size() > exhaustive_nodes_max;
    searches_left_ = many ? marginal_searches_max : std::numeric_limits<std::size_t>::max();
  }

  std::vector<Marginal> run() {
    if (spec_.nodes.size() > 1) machines();
    faster_links();
    for (std::size_t w = 0; w < spec_.wires.size(); ++w) {
      const Wire& wire = spec_.wires[w];
      ClusterSpec changed = spec_;
      changed.wires.erase(changed.wires.begin() + static_cast<std::ptrdiff_t>(w));
      const std::string name = fmt::format("link {} – {} ({})", spec_.nodes[wire.a].name, spec_.nodes[wire.b].name, wire.key);
      // In a large cluster the unused wires are too many to name.
      if (used_.wire(wire) || spec_.nodes.size() <= exhaustive_nodes_max) take(used_.wire(wire), changed, name, "");
    }
    return std::move(out_);
  }

 private:
  void machines() {
    std::map<std::string, std::set<std::size_t>> alike;
    for (std::size_t i = 0; i < spec_.nodes.size(); ++i) {
      take(used_.node(i), without_node(spec_, {i}), spec_.nodes[i].name, "");
      alike[spec_.nodes[i].chip].insert(i);
    }
    for (const auto& [chip, group] : alike) {
      if (group.size() < 2 || group.size() == spec_.nodes.size()) continue;
      std::string names;
      bool used = false;
      for (const std::size_t i : group) {
        names += (names.empty() ? "" : " and ") + spec_.nodes[i].name;
        used = used || used_.node(i);
      }
      take(used, without_node(spec_, group), names, "");
    }
  }

  void faster_links() {
    const Link* faster = catalog_.link(faster_link);
    if (!faster || !faster->effective_gb_s) return;
    ClusterSpec changed = spec_;
    std::set<std::string> replaced;
    for (Wire& wire : changed.wires) {
      if (wire.gb_s >= *faster->effective_gb_s) continue;
      replaced.insert(wire.key);
      wire.gb_s = *faster->effective_gb_s;
    }
    if (replaced.empty()) return;
    std::string keys;
    for (const std::string& key : replaced) keys += (keys.empty() ? "" : ", ") + key;
    take(true, changed, "", fmt::format("25 GbE instead of {}", keys));
  }

  void take(bool matters, const ClusterSpec& changed, std::string without, std::string with) {
    if (!matters && used_.machines != 0) {
      out_.push_back(comparison_.unchanged(std::move(without), std::move(with)));
    } else if (searches_left_ > 0) {
      --searches_left_;
      out_.push_back(comparison_.compare(changed, std::move(without), std::move(with)));
    }
  }

  const ClusterSpec& spec_;
  const Catalog& catalog_;
  Comparison comparison_;
  Used used_;
  std::size_t searches_left_ = 0;
  std::vector<Marginal> out_;
};

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

// One layer on `node`, the rest on the others as fast as they go.
std::optional<double> rate_with_forced(const Scene& scene, const PoolChoice& choice, std::size_t node, KvType kv) {
  const PoolChoice others{choice.leader, choice.helpers & ~(1u << node)};
  FillOptions options{.shape = pool_shape(scene, kv), .for_prefill = false, .for_decode = true,
                      .taken_bytes = {}, .first_layer = 1, .layer_count = scene.layers() - 1};
  const Stage forced{.node = node, .first = 0, .count = 1, .leads = false};
  if (scene.memory(forced, options.shape).total_bytes() >
      static_cast<double>(scene.spec().nodes[node].usable_bytes)) {
    return std::nullopt;
  }
  auto result = fill(scene, others, options);
  if (auto* pool = std::get_if<Pool>(&result)) {
    pool->push_back(forced);
    return decode_rate(scene, *pool, kv);
  }
  // The others cannot hold the rest: then the machine takes what is over, as in an ordinary fill.
  options.first_layer = 0;
  options.layer_count = 0;
  result = fill(scene, choice, options);
  const auto* pool = std::get_if<Pool>(&result);
  if (!pool) return std::nullopt;
  const bool used = std::ranges::any_of(*pool, [&](const Stage& s) { return s.node == node && s.count > 0; });
  return used ? decode_rate(scene, *pool, kv) : std::nullopt;
}

// Can the machines that are not of this kind hold the model at all?
bool fits_without_kind(const Scene& scene, const std::vector<PoolChoice>& choices, std::size_t node) {
  std::uint32_t kind = 0;
  for (std::size_t i = 0; i < scene.spec().nodes.size(); ++i) {
    if (scene.spec().nodes[i].chip == scene.spec().nodes[node].chip) kind |= 1u << i;
  }
  return std::ranges::any_of(choices, [&](const PoolChoice& choice) {
    if ((choice.members() & kind) != 0) return false;
    const auto result = fill(scene, choice, {.shape = pool_shape(scene, KvType::q8_0), .for_prefill = false,
                                             .for_decode = true, .taken_bytes = {}});
    return std::holds_alternative<Pool>(result);
  });
}

std::vector<PoolEffect> pool_effects(const Scene& scene) {
  std::vector<PoolEffect> out;
  const std::vector<PoolChoice> choices = pool_choices(scene);
  for (std::size_t node = 0; node < scene.spec().nodes.size(); ++node) {
    PoolEffect effect{.node = node, .decode_tok_s_with = {}, .decode_tok_s_without = {}, .verdict = {}};
    for (const KvType kv : {KvType::f16, KvType::q8_0}) {
      if (effect.decode_tok_s_with && effect.decode_tok_s_without) break;
      std::optional<double> with, without;
      for (const PoolChoice& choice : choices) {
        if (choice.helpers >> node & 1u) {
          keep_better(with, rate_with_forced(scene, choice, node, kv));
          continue;
        }
        auto result = fill(scene, choice, {.shape = pool_shape(scene, kv), .for_prefill = false,
                                           .for_decode = true, .taken_bytes = {}});
        const auto* pool = std::get_if<Pool>(&result);
        if (pool) keep_better(choice.leader == node ? with : without, decode_rate(scene, *pool, kv));
      }
      if (!effect.decode_tok_s_with) effect.decode_tok_s_with = with;
      if (!effect.decode_tok_s_without) effect.decode_tok_s_without = without;
    }
    if (!effect.decode_tok_s_with) {
      effect.verdict = "cannot take part";
    } else if (!effect.decode_tok_s_without) {
      effect.verdict = "needed: without it the model does not fit";
    } else {
      const double change = *effect.decode_tok_s_with / *effect.decode_tok_s_without - 1;
      effect.verdict = change > noticeable_pool    ? "helps"
                       : change < -noticeable_pool ? "hurts"
                                                   : "makes no difference";
      if (change >= -noticeable_pool && !fits_without_kind(scene, choices, node)) {
        effect.verdict = "needed, or another of its kind: without either the model does not fit";
      }
    }
    out.push_back(std::move(effect));
  }
  return out;
}

// All machines, layers in proportion to their memory: what placement by memory alone would do.
std::optional<double> rate_by_memory(const Scene& scene) {
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
    if (wired && next == scene.layers()) return decode_rate(scene, pool, KvType::f16);
  }
  return std::nullopt;
}

Verdict judge(const Question& q, const Answer& a) {
  Verdict out;
  for (std::size_t i = 0; i < a.result.plans.size(); ++i) {
    const bool runs = std::ranges::any_of(a.engines[i], &EngineFit::can_run);
    if (runs && a.result.plans[i].turn_s) {
      out.plan = i;
      break;
    }
  }
  if (!out.plan) {
    if (a.result.plans.empty()) {
      const auto& why = a.result.rejected;
      out.why = "nothing fits" + (why.empty() ? "" : ": " + why.front().reason);
    } else if (!a.result.plans.front().turn_s) {
      out.why = "it fits, but its speed is unknown: no measurement of a like model on these machines. "
                "Probe them (hearth probe)";
    } else {
      out.why = "it fits, but no engine can run any of the plans";
    }
    return out;
  }
  const Plan& plan = a.result.plans[*out.plan];
  const Bar& bar = q.workload.bar;
  std::vector<std::string> failing;
  bool surely = true;
  if (bar.ttft_s_max) {
    if (plan.ttft_s->p50 > *bar.ttft_s_max) {
      failing.push_back(fmt::format("first token after {:.0f} s, the bar is {:.0f} s", plan.ttft_s->p50, *bar.ttft_s_max));
    }
    surely = surely && plan.ttft_s->high <= *bar.ttft_s_max;
  }
  if (bar.decode_tok_s_min) {
    if (plan.decode_tok_s->p50 < *bar.decode_tok_s_min) {
      failing.push_back(fmt::format("decodes {:.1f} tok/s, the bar is {:.0f}", plan.decode_tok_s->p50, *bar.decode_tok_s_min));
    }
    surely = surely && plan.decode_tok_s->low >= *bar.decode_tok_s_min;
  }
  out.go = failing.empty();
  const std::string which = fmt::format("{} ({})", family_name(plan.family), placement_text(q.cluster, plan));
  if (!bar.ttft_s_max && !bar.decode_tok_s_min) {
    out.why = fmt::format("{} fits; no bar is stated", which);
  } else if (out.go) {
    out.why = fmt::format("{} meets the bar{}", which,
                          surely ? ", also at the slow end of the prediction"
                                 : ", but not at the slow end of the prediction");
  } else {
    out.why = fmt::format("the best that an engine can run, {}: {}", which, failing[0]);
    for (std::size_t i = 1; i < failing.size(); ++i) out.why += "; " + failing[i];
  }
  if (*out.plan > 0 && a.result.plans[0].ttft_s) {
    const Plan& first = a.result.plans[0];
    out.why += fmt::format(". Better on paper, but nothing runs it yet: {} (first token after {:.0f} s)",
                           family_name(first.family), first.ttft_s->p50);
  }
  return out;
}

std::string sensitivity(const Question& q, const Answer& a) {
  if (!a.verdict.plan) return "";
  const Plan& plan = a.result.plans[*a.verdict.plan];
  if (!plan.least_certain) return "";
  const LeastCertain& least = *plan.least_certain;
  const std::string what = fmt::format("{} of {} on {}", least.prefill ? "prefill rate" : "decode rate",
                                       q.card.name, q.cluster.nodes[least.node].name);
  std::string out = fmt::format("Least certain: {}, known to a factor of {:.2f}.", what, std::exp(least.log_sd));
  for (const double sign : {1.0, -1.0}) {
    const SearchResult shifted = search(q.cluster, q.card, q.workload, *q.calibrations, quiet(q.options),
                                        RateShift{least.node, least.prefill, sign * least.log_sd});
    const Plan* best = best_runnable(q, q.cluster, shifted);
    if (!best) continue;
    const std::string same = placement_text(q.cluster, *best) == placement_text(q.cluster, plan)
                                 ? "the same plan stays best"
                                 : fmt::format("{} ({}) would be best", family_name(best->family),
                                               placement_text(q.cluster, *best));
    out += fmt::format(" If {} by that: a turn takes {:.0f} s instead of {:.0f} s, {}.",
                       sign > 0 ? "slower" : "faster", best->turn_s->p50, plan.turn_s->p50, same);
  }
  return out;
}

}  // namespace

Answer answer(Question question) {
  Answer out;
  out.result = search(question.cluster, question.card, question.workload, *question.calibrations, question.options);
  for (const Plan& plan : out.result.plans) {
    out.engines.push_back(engines_for(*question.catalog, question.cluster, question.card, plan));
  }
  out.verdict = judge(question, out);
  out.marginal = Marginals(question, out.result).run();
  const Scene scene(question.cluster, question.card, question.workload, *question.calibrations,
                    question.options.kernels);
  if (question.cluster.nodes.size() > 1) {
    out.pool_effects = pool_effects(scene);
    out.decode_tok_s_by_memory = rate_by_memory(scene);
  }
  out.sensitivity = sensitivity(question, out);
  out.question = std::move(question);
  return out;
}

}  // namespace hearth::plan
