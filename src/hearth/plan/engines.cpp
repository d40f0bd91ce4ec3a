#include "hearth/plan/engines.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace hearth::plan {
namespace {

std::string joined(const std::vector<std::string>& items) {
  std::string out;
  for (const std::string& item : items) out += (out.empty() ? "" : ", ") + item;
  return out;
}

bool has(const std::vector<std::string>& items, std::string_view item) {
  return std::ranges::find(items, item) != items.end();
}

// "rocm or vulkan" in the catalogue: any of them will do.
bool runs_on(const EngineEntry& engine, const std::string& backend) {
  return std::ranges::any_of(engine.backends, [&](const std::string& own) {
    return backend.find(own) != std::string::npos;
  });
}

std::vector<std::string> blockers(const EngineEntry& engine, const ClusterSpec& spec,
                                  const ModelCard& card, const Plan& plan) {
  std::vector<std::string> out;
  if (!card.format.empty() && !has(engine.formats, card.format)) {
    out.push_back(fmt::format("format: reads {}, not {}", joined(engine.formats), card.format));
  }
  std::map<std::string, std::string> machines_by_backend;
  for (const Placement& placement : plan.placements) {
    const Node& node = spec.nodes[placement.node];
    std::string& names = machines_by_backend[node.backend];
    if (names.find(node.name) == std::string::npos)
      names += (names.empty() ? "" : ", ") + node.name;
  }
  for (const auto& [backend, names] : machines_by_backend) {
    if (!runs_on(engine, backend))
      out.push_back(fmt::format("platform: not on {} ({})", backend, names));
  }
  if (machines_by_backend.size() > 1 && !engine.spans_backends) {
    out.push_back("transport: does not join unlike backends");
  }
  if (!has(engine.families, family_name(plan.family))) {
    out.push_back(fmt::format("maturity: no {} mode", family_name(plan.family)));
  }
  return out;
}

}  // namespace

std::vector<EngineFit> engines_for(const Catalog& catalog, const ClusterSpec& spec,
                                   const ModelCard& card, const Plan& plan) {
  std::vector<EngineFit> out;
  for (const EngineEntry& engine : catalog.engines) {
    EngineFit fit{.engine = engine.key,
                  .version = engine.version,
                  .as_of = engine.as_of,
                  .source = engine.origin.source,
                  .blocked_by = blockers(engine, spec, card, plan),
                  .caveats = {}};
    if (fit.can_run()) fit.caveats = engine.known_blockers;
    out.push_back(std::move(fit));
  }
  return out;
}

const Plan* best_runnable(const Catalog& catalog, const ClusterSpec& spec, const ModelCard& card,
                          const SearchResult& result) {
  for (const Plan& plan : result.plans) {
    if (!plan.turn_s) continue;
    const auto fits = engines_for(catalog, spec, card, plan);
    if (std::ranges::any_of(fits, &EngineFit::can_run)) return &plan;
  }
  return nullptr;
}

}  // namespace hearth::plan
