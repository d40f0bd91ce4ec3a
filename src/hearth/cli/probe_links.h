#pragma once
// The links between this machine and the others of its cluster, measured by it. Blocking: seconds a machine.

#include <filesystem>
#include <string>
#include <vector>

#include "hearth/base/stop.h"
#include "hearth/cli/progress.h"
#include "hearth/node/probe/link_probe.h"

namespace hearth::cli {

struct ProbedLinks {
  std::string machine;  // this one, as its cluster calls it; empty: it is in none
  std::vector<node::LinkProbe> links;  // one for each other member; what could not be measured says why
};

// `directory`: the cluster's folder; empty: where the configuration is.
Result<ProbedLinks> probe_links(const std::filesystem::path& directory, Progress& progress, const StopToken& stop);

}  // namespace hearth::cli
