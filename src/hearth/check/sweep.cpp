#include "hearth/check/sweep.h"

#include <algorithm>
#include <set>

namespace hearth::check {
namespace {

// Those of the models: where they lie has to have room, too.
std::vector<std::filesystem::path> folders_of(const Wanted& wanted) {
  std::set<std::filesystem::path> out;
  for (const auto& model : wanted.models) out.insert(model.has_parent_path() ? model.parent_path() : ".");
  return {out.begin(), out.end()};
}

}  // namespace

Versions all_versions(const Facts& facts) {
  Versions out = facts.versions;
  out.merge(peer_versions(facts.peers));
  for (const SmokeFacts& smoke : facts.smokes) out.merge(endpoint_versions(smoke));
  return out;
}

Findings findings_of(const Facts& facts, const Lock* lock) {
  Findings out;
  if (lock == nullptr) {
    out.push_back({"lock.missing", Severity::note, "nothing is pinned: there is no hearth.lock",
                   "write it with hearth check --pin once all is well"});
  } else {
    append(out, version_findings(lock->versions, all_versions(facts)));
    append(out, link_findings(facts.machine.links, lock->links));
  }
  for (const ModelFacts& model : facts.models) {
    const LockedModel* pinned = lock == nullptr ? nullptr : lock->find_model(model.path);
    Findings found = model_findings(model, pinned);
    // Said once, above.
    if (lock == nullptr) std::erase_if(found, [](const Finding& one) { return one.id == "model.unpinned"; });
    append(out, std::move(found));
    if (const auto urls = facts.urls.find(model.path); urls != facts.urls.end()) append(out, url_findings(urls->second, pinned));
  }
  append(out, machine_findings(facts.machine, facts.alone_bytes));
  const auto own = facts.versions.find("hearth");
  append(out, peer_findings(facts.peers, own == facts.versions.end() ? "" : own->second));
  for (const SmokeFacts& smoke : facts.smokes) append(out, smoke_findings(smoke));
  for (const TemplateFacts& one : facts.templates) append(out, template_render_findings(one));
  return out;
}

Lock pin(const Facts& facts) {
  Lock out{.versions = all_versions(facts), .models = {}, .links = pin_links(facts.machine.links), .endpoints = facts.endpoints};
  for (const ModelFacts& model : facts.models) {
    const auto url = facts.model_urls.find(model.path);
    out.models.push_back(pin_model(model, url == facts.model_urls.end() ? "" : url->second));
  }
  return out;
}

Facts gather(const Wanted& wanted, net::HttpClient& http, fetch::DigestMemory& memory,
             const fetch::DigestProgress& progress, const StopToken& stop) {
  Facts out{.model_urls = wanted.model_urls};
  for (const auto& model : wanted.models) {
    out.models.push_back(gather_model(model));
    out.alone_bytes = std::max(out.alone_bytes, out.models.back().total_bytes);
    const auto url = wanted.model_urls.find(model.string());
    if (url == wanted.model_urls.end() || url->second.empty()) continue;
    out.urls[model.string()] = gather_urls(http, url->second, wanted.web, stop);
  }
  if (wanted.digests) gather_digests(out.models, wanted.readers, memory, progress, stop);
  out.machine = gather_machine(wanted.machine_root, folders_of(wanted));
  return out;
}

}  // namespace hearth::check
