#pragma once
// How this machine decides who prefills (agent/prefill_coordinator.h). A plain value, but for the pool it names.

#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "hearth/base/clock.h"
#include "hearth/cluster/decision_log.h"
#include "hearth/cluster/parity.h"
#include "hearth/cluster/prefill_choice.h"
#include "hearth/node/agent/peer_client.h"
#include "hearth/node/pool/gathered_prefiller.h"

namespace hearth::node {

inline constexpr Duration canary_interval_default = std::chrono::hours(1);

struct CoordinatorOptions {
  std::string machine;     // this one
  std::string deliver_to;  // host:port of our own agent, as peers reach it
  // Every other machine of the cluster, as known now; asked for before each look.
  std::function<std::vector<Peer>()> find_peers;
  cluster::ParityLimits parity = {};
  // Machines that may prefill with another quantisation of the model, and the KL (nats) of the next token allowed then.
  std::map<std::string, double> other_precision = {};
  // An idle pair is tried again so often, each time a little sooner or later by chance.
  Duration canary_interval = canary_interval_default;
  cluster::PrefillPolicy policy = cluster::PrefillPolicy::automatic;  // at first
  cluster::ShadowPolicy shadows = {};
  Duration look_interval = std::chrono::seconds(2);
  GatheredPrefiller* pool = nullptr;  // of several machines, that reads long prompts for this one; outlives the coordinator
  std::filesystem::path rates_file = {};  // what was learned outlives this process; empty: it does not
};

}  // namespace hearth::node
