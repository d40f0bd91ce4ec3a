#pragma once
// The cluster's machines, asked for what they are.

#include <filesystem>
#include <vector>

#include "hearth/base/stop.h"
#include "hearth/check/peer_check.h"

namespace hearth::cli {

// All members but this machine. Nothing when `directory` holds no cluster.
Result<std::vector<check::PeerFacts>> gather_peers(const std::filesystem::path& directory, const StopToken& stop);

}  // namespace hearth::cli
