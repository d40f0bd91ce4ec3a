#pragma once
// Everything a check looks at, as one value; the findings and the lock made of it are pure.

#include <map>

#include "hearth/check/machine_check.h"
#include "hearth/check/model_check.h"
#include "hearth/check/peer_check.h"
#include "hearth/check/smoke.h"
#include "hearth/check/template_check.h"
#include "hearth/check/url_check.h"

namespace hearth::check {

struct Facts {
  Versions versions;  // of this machine: hearth, engine, …
  std::vector<ModelFacts> models;
  std::map<std::string, std::string> model_urls;             // by path, as given
  std::map<std::string, std::vector<UrlFacts>> urls;         // by path of the model
  MachineFacts machine;
  std::vector<PeerFacts> peers;
  std::vector<LockedEndpoint> endpoints;
  std::vector<SmokeFacts> smokes;
  std::vector<TemplateFacts> templates;
  std::uint64_t alone_bytes = 0;  // of the largest model that shall run on this machine alone
};

// All versions that are known: of this machine, of its peers, of the services.
Versions all_versions(const Facts& facts);
// `lock`: nothing when there is none.
Findings findings_of(const Facts& facts, const Lock* lock);
// What was found, as the set-up to hold others to.
Lock pin(const Facts& facts);

// What this module itself can look at; peers and services come from elsewhere.
struct Wanted {
  std::vector<std::filesystem::path> models;
  std::map<std::string, std::string> model_urls;  // by path
  std::filesystem::path machine_root = "/";
  bool digests = true;
  std::uint32_t readers = 4;  // files read at once
  fetch::GetLimits web;
};

Facts gather(const Wanted& wanted, net::HttpClient& http, fetch::DigestMemory& memory,
             const fetch::DigestProgress& progress, const StopToken& stop);

}  // namespace hearth::check
