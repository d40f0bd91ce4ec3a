#include "hearth/check/peer_check.h"

#include <fmt/format.h>

namespace hearth::check {
namespace {

// Through a switch a round trip takes a tenth of this; a machine that sleeps or is far away, more.
constexpr double round_trip_ms_max = 20;

}  // namespace

Versions peer_versions(const std::vector<PeerFacts>& peers) {
  Versions out;
  for (const PeerFacts& peer : peers) {
    if (!peer.fault.empty()) continue;
    const std::string prefix = "machine." + peer.name + ".";
    out[prefix + "hearth"] = peer.hearth_version;
    if (!peer.engine_version.empty()) out[prefix + "engine"] = peer.engine_version;
    if (!peer.backend.empty()) out[prefix + "backend"] = peer.backend;
  }
  return out;
}

Findings peer_findings(const std::vector<PeerFacts>& peers, std::string_view hearth_version) {
  Findings out;
  for (const PeerFacts& peer : peers) {
    if (!peer.fault.empty()) {
      out.push_back({"peer.unreachable", Severity::blocks, fmt::format("{} at {}: {}", peer.name, peer.address, peer.fault),
                     "is it on, and does hearth node run there? hearth cluster ls shows the address it is known by"});
      continue;
    }
    if (peer.hearth_version != hearth_version) {
      out.push_back({"peer.version", Severity::blocks, fmt::format("{} runs hearth {}, this machine {}", peer.name, peer.hearth_version, hearth_version),
                     "install the same version on both"});
    }
    if (!peer.cannot_pair.empty()) {
      out.push_back({"peer.cannot_pair", Severity::warning, fmt::format("{} cannot prefill for this machine: {}", peer.name, peer.cannot_pair),
                     "start both with the same model, KV type and chunk length (docs/cluster.md)"});
    }
    if (peer.round_trip_ms > round_trip_ms_max) {
      out.push_back({"peer.slow", Severity::warning, fmt::format("{} answers after {:.0f} ms", peer.name, peer.round_trip_ms),
                     "is the traffic on the link that was meant? hearth status shows its rate"});
    }
    for (const Finding& one : peer.machine) {
      out.push_back({one.id, one.severity, fmt::format("on {}: {}", peer.name, one.fact), fmt::format("there: {}", one.mend)});
    }
  }
  return out;
}

}  // namespace hearth::check
