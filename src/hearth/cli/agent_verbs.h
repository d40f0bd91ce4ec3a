#pragma once
// Verbs that ask a running agent; children of hearth cluster.

#include "hearth/base/stop.h"
#include "hearth/cli/command_line.h"

namespace hearth::cli {

struct AgentFlags {
  std::filesystem::path directory;
  std::string machine, peer, policy;
  bool json = false;
};

Verb decisions_verb(StopToken stop);
Verb parity_verb(StopToken stop);
Verb prefill_policy_verb(StopToken stop);

}  // namespace hearth::cli
