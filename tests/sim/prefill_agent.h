#pragma once
// The agent of a simulated machine that prefills for others: drives the real desk and the real
// runs, computes in its ToyWorker, sends over the simulated network.

#include <map>
#include <memory>
#include <set>
#include <string>

#include "hearth/cluster/peer_state.h"
#include "hearth/cluster/prefill_desk.h"
#include "hearth/cluster/prefill_run.h"
#include "tests/sim/toy_worker.h"

namespace hearth::sim {

inline constexpr std::uint64_t small_message_bytes = 300;

class DecodeAgent;
class Coordinator;

class PrefillAgent {
 public:
  PrefillAgent(World& world, Machine machine, Speeds speeds, bool is_liar, bool other_layout);

  void connect(DecodeAgent& decode, Coordinator& coordinator);
  void start();
  void crash();

  // network calls
  cluster::DeskAnswer on_ask(const std::string& from, const cluster::Ticket& ticket,
                             const std::shared_ptr<const Prompt>& prompt);
  void on_cancel(const std::string& from, const cluster::HandOffId& id, std::uint32_t attempt);

  bool is_running(const cluster::HandOffId& id) const { return runs_.contains(id); }

  void announce();  // again every few seconds, while the simulation is open
  void check() const;
  void check_end() const;

  Process process;
  std::unique_ptr<ToyWorker> worker;
  ToyStore store;
  const model::LayoutIdentity layout;

 private:
  struct Run {
    cluster::PrefillRun run;
    std::shared_ptr<const Prompt> prompt;
    std::set<kv::ChunkKey> pinned;
    bool is_computing = false;
    std::optional<Instant> wake;
  };
  using Id = cluster::HandOffId;

  Run* find(const Id& id, std::uint32_t attempt);
  void pump(const Id& id);
  void compute(const Id& id);
  void offer(Run& run, std::uint32_t index);
  void send_query(const Run& run, const kv::QueryMissing& query);
  void send_put(const Id& id, const kv::PutChunk& put);
  void send_progress(const Run& run, std::uint32_t done_tokens);
  void send_closing(const Run& run, const cluster::ClosingManifest& manifest);
  void unpin(const Run& run);
  void close(const Id& id, const cluster::PrefillRunOver& over);
  cluster::TicketUse use_of(const Run& run) const;
  kv::SharedChunk as_sent(const kv::SharedChunk& chunk, const Prompt& prompt, std::uint32_t index);
  bool lies() { return is_liar_ && world_.random().chance(0.3); }
  struct HandOff {
    Id id;
    std::uint32_t attempt;
  };
  static HandOff hand_off_of(const Run& run);
  // A reply for that attempt, if it still runs.
  Thunk for_run(HandOff which, std::function<void(Run&)> report);

  World& world_;
  const bool is_liar_;
  DecodeAgent* decode_ = nullptr;
  Coordinator* coordinator_ = nullptr;
  std::unique_ptr<cluster::PrefillDesk> desk_;
  std::map<Id, Run> runs_;
};

}  // namespace hearth::sim
