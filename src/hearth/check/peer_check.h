#pragma once
// The other machines of the cluster, as their agents answered.

#include <optional>

#include "hearth/check/lock.h"

namespace hearth::check {

struct PeerFacts {
  std::string name, address;
  std::string fault;  // why it did not answer; empty: it did
  std::string hearth_version, engine_version, backend;
  std::string cannot_pair;  // why its KV is of no use here; empty: it is, or nobody asked
  double round_trip_ms = 0;
  Findings machine{};  // what it found about itself
};

// "machine.NAME.hearth" and so on, of those that answered.
Versions peer_versions(const std::vector<PeerFacts>& peers);
// `hearth_version`: of this machine.
Findings peer_findings(const std::vector<PeerFacts>& peers, std::string_view hearth_version);

}  // namespace hearth::check
