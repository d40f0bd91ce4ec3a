#pragma once
// The agent of the simulated machine that decodes: drives the real ticket book and the real decode
// runs, imports into its ToyWorker, generates. Its coordinator is on the same machine: what passes
// between those two is a function call, and the death of either is noticed at once.

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "hearth/cluster/decode_run.h"
#include "tests/sim/toy_worker.h"

namespace hearth::sim {

class PrefillAgent;
class Coordinator;

class DecodeAgent {
 public:
  // One piece of work: hand-offs and the generation after them, in one sequence of the worker.
  using WorkId = std::uint64_t;
  struct Generation {
    std::function<void(std::uint32_t new_tokens, std::uint32_t depth, double seconds)> computed;
    std::function<void(std::uint32_t index, Token token)> token;
    Thunk done;
    std::function<void(Error)> lost;
  };

  DecodeAgent(World& world, Machine machine, Speeds speeds);
  void connect(Coordinator& coordinator) { coordinator_ = &coordinator; }
  void start();
  void crash();

  // calls of the coordinator
  Result<> begin(WorkId work, std::shared_ptr<const Prompt> prompt);
  void hand_off(WorkId work, PrefillAgent& peer, std::uint32_t attempt,
                cluster::DecodeRunParameters parameters,
                std::function<void(cluster::DecodeRunOver)> on_over);
  void generate(WorkId work, Generation generation);
  void abort(WorkId work);  // or it is done
  void on_coordinator_lost();

  // network calls; `from` is the authenticated sender. Nothing: the hand-off is over.
  std::optional<std::vector<kv::ChunkKey>> on_query(const std::string& from,
                                                    const cluster::TicketUse& use);
  void on_put(const std::string& from, const cluster::TicketUse& use, const kv::SharedChunk& chunk,
              const World::Delivery& delivery,
              std::function<void(std::expected<std::uint32_t, kv::Refusal>)> answer);
  bool on_progress(const std::string& from, const cluster::TicketUse& use,
                   std::uint32_t done_tokens);
  void on_closing(const std::string& from, const cluster::TicketUse& use,
                  const cluster::ClosingManifest& manifest);
  void on_peer_failed(const std::string& from, const cluster::TicketUse& use,
                      const std::string& why);

  bool is_ready() const { return process.is_up && worker->process.is_up; }
  void check() const;
  void check_end() const;

  Process process;
  std::unique_ptr<ToyWorker> worker;
  ToyStore store;
  std::uint64_t refused_tickets = 0, refused_chunks = 0;

 private:
  struct Run {
    cluster::DecodeRun run;
    PrefillAgent* peer;
    std::uint64_t staging_bytes_max;
    std::set<std::uint64_t> open_bodies;
    std::set<kv::ChunkKey> pinned;
    std::optional<Instant> wake;
    std::function<void(cluster::DecodeRunOver)> on_over;
  };
  struct Work {
    std::shared_ptr<const Prompt> prompt;
    std::uint64_t sequence = 0;
    std::unique_ptr<Run> run;
    std::optional<Generation> generation;
    bool is_aborted = false;
  };

  Work* find(WorkId id);
  Run* find_run(WorkId id, const cluster::HandOffId& hand_off);
  // Of a message whose ticket is good.
  std::optional<WorkId> find_work(const std::string& from, const cluster::TicketUse& use);
  void pump(WorkId id);
  void ask(WorkId id, const cluster::AskPeer& ask);
  void import(WorkId id, const cluster::ImportChunk& import);
  void import_stored(WorkId id);
  void close_run(WorkId id, const cluster::DecodeRunOver& over);
  void close(WorkId id);
  void on_worker_lost();

  World& world_;
  Coordinator* coordinator_ = nullptr;
  std::unique_ptr<cluster::TicketBook> tickets_;
  std::map<WorkId, Work> works_;
  std::map<cluster::HandOffId, WorkId> hand_offs_;
  std::shared_ptr<kv::StagingRoom> staging_;  // of one life
};

}  // namespace hearth::sim
