#pragma once
// A whole cluster in virtual time: one machine that decodes (coordinator, agent, worker), others
// that prefill (agent, worker), clients with prompts that share prefixes, and everything that can
// go wrong between and in them. The state machines are the real ones of hearth/cluster and
// hearth/kv; only engines, stores, sockets and clocks are toys. docs/coordinator.md.

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tests/sim/coordinator.h"
#include "tests/sim/decode_agent.h"
#include "tests/sim/prefill_agent.h"
#include "tests/sim/world.h"

namespace hearth::sim {

struct SimulationReport {
  std::string violation;  // empty: every rule held after every event
  std::uint32_t answered = 0, failed = 0, left = 0;
  std::string last_error;  // that a client was told
  std::uint64_t refused_tickets = 0, refused_chunks = 0;
  std::uint32_t worker_restarts = 0;
  std::uint64_t events = 0;
  Coordinator::Statistics coordinator;

  bool operator==(const SimulationReport& other) const {
    return violation == other.violation && answered == other.answered && events == other.events;
  }
};

class ClusterSimulation {
 public:
  explicit ClusterSimulation(const SimulationOptions& options);
  ~ClusterSimulation();
  SimulationReport run();

 private:
  class Client;
  void build();
  void add_clients();
  void schedule_faults();
  void at_some_moment(int times, const Thunk& what);
  void check();
  void check_end();

  World world_;
  std::unique_ptr<DecodeAgent> decode_;
  std::vector<std::unique_ptr<PrefillAgent>> peers_;
  std::unique_ptr<Coordinator> coordinator_;
  std::vector<std::unique_ptr<Client>> clients_;
  std::uint32_t open_clients_ = 0;
  std::string last_error_;
};

}  // namespace hearth::sim
