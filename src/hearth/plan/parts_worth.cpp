#include "hearth/plan/parts_worth.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>

#include "hearth/plan/search/pools.h"

namespace hearth::plan {
namespace {

// Smaller changes of a turn are called none.
constexpr double noticeable = 0.02;
// Beyond six machines only so many are taken away in turn: each costs a search.
constexpr std::size_t marginal_searches_max = 6;
constexpr std::string_view faster_link = "25gbe-thunderbolt-nic";

std::string percent_change(double before, double after) {
  const double change = after / before - 1;
  if (std::abs(change) < noticeable) return "no change";
  return change > 0 ? fmt::format("{:.0f} % slower", 100 * change)
                    : fmt::format("{:.0f} % faster", -100 * change);
}

class Comparison {
 public:
  explicit Comparison(const Question& q, const SearchResult& base) : q_(q) {
    before_ = best_runnable(*q.catalog, q.cluster, q.card, base);
  }

  Marginal unchanged(std::string without, std::string with) const {
    Marginal out{.without = std::move(without),
                 .with = std::move(with),
                 .effect = "no change",
                 .turn_s_before = {},
                 .turn_s_after = {},
                 .decode_tok_s_before = {},
                 .decode_tok_s_after = {}};
    if (before_) {
      out.turn_s_before = out.turn_s_after = before_->turn_s->p50;
      out.decode_tok_s_before = out.decode_tok_s_after = before_->decode_tok_s->p50;
    }
    return out;
  }

  Marginal compare(const ClusterSpec& changed, std::string without, std::string with) const {
    Marginal out{.without = std::move(without),
                 .with = std::move(with),
                 .effect = {},
                 .turn_s_before = {},
                 .turn_s_after = {},
                 .decode_tok_s_before = {},
                 .decode_tok_s_after = {}};
    const SearchResult result =
        changed.nodes.empty()
            ? SearchResult{}
            : search(changed, q_.card, q_.workload, *q_.calibrations, without_curve(q_.options));
    const Plan* after = best_runnable(*q_.catalog, changed, q_.card, result);
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
      const std::string plan = q_.options.only ? fmt::format("plan of the family {}", family_name(*q_.options.only)) : "plan";
      return before_ ? fmt::format("no {} that an engine can run is left", plan) : fmt::format("still no {} that an engine can run", plan);
    }
    const std::string where =
        fmt::format("{} ({})", family_name(after->family), placement_text(changed, *after));
    if (!before_) return fmt::format("makes it possible: {}", where);
    const std::string change = percent_change(*m.turn_s_before, *m.turn_s_after);
    if (change == "no change") return "no change";
    return fmt::format("a turn is {} ({:.0f} s instead of {:.0f} s): {}", change, *m.turn_s_after,
                       *m.turn_s_before, where);
  }

  const Question& q_;
  const Plan* before_ = nullptr;
};

// A plan uses its machines, and wires that begin or end at a leading one. What it does not use can
// be taken away without changing it, so no search is needed to know that.
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
      : spec_(q.cluster),
        catalog_(*q.catalog),
        comparison_(q, base),
        used_(best_runnable(*q.catalog, q.cluster, q.card, base)) {
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
      const std::string name = fmt::format("link {} – {} ({})", spec_.nodes[wire.a].name,
                                           spec_.nodes[wire.b].name, wire.key);
      // In a large cluster the unused wires are too many to name.
      if (used_.wire(wire) || spec_.nodes.size() <= exhaustive_nodes_max)
        take(used_.wire(wire), changed, name, "");
    }
    return std::move(out_);
  }

 private:
  void machines() {
    std::map<std::string, std::vector<std::size_t>> alike;
    for (std::size_t i = 0; i < spec_.nodes.size(); ++i) {
      take(used_.node(i), without_nodes(spec_, {i}), spec_.nodes[i].name, "");
      alike[spec_.nodes[i].chip].push_back(i);
    }
    for (const auto& [chip, group] : alike) {
      if (group.size() < 2 || group.size() == spec_.nodes.size()) continue;
      std::string names;
      bool used = false;
      for (const std::size_t i : group) {
        names += (names.empty() ? "" : " and ") + spec_.nodes[i].name;
        used = used || used_.node(i);
      }
      take(used, without_nodes(spec_, group), names, "");
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

}  // namespace

Options without_curve(Options options) {
  options.with_curve = false;
  return options;
}

ClusterSpec without_nodes(const ClusterSpec& spec, const std::vector<std::size_t>& gone) {
  ClusterSpec out{.name = spec.name, .nodes = {}, .wires = {}};
  std::map<std::size_t, std::size_t> index;
  for (std::size_t i = 0; i < spec.nodes.size(); ++i) {
    if (std::ranges::find(gone, i) != gone.end()) continue;
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

std::vector<Marginal> marginal_worths(const Question& question, const SearchResult& base) {
  return Marginals(question, base).run();
}

}  // namespace hearth::plan
