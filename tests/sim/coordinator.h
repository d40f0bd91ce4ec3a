#pragma once
// The simulated coordinator process: drives the real request runs, choice, rates, peers and
// decisions. It loses everything when it dies, save the rates, which it writes down.

#include <map>
#include <memory>
#include <set>
#include <string>

#include "hearth/cluster/decision_log.h"
#include "hearth/cluster/peer_state.h"
#include "hearth/cluster/rate_book.h"
#include "tests/sim/decode_agent.h"
#include "tests/sim/request_run.h"

namespace hearth::sim {

class PrefillAgent;

// What a client hears. Nothing after `ended` or `disconnected`.
struct ClientSide {
  std::function<void(Token)> token;
  std::function<void(std::optional<Error>)> ended;
  Thunk disconnected;
};

class Coordinator {
 public:
  using RequestId = std::uint64_t;

  Coordinator(World& world, DecodeAgent& decode, std::vector<PrefillAgent*> peers);
  static model::LayoutIdentity layout(bool is_other);

  void start();
  void crash();
  void close() { is_closing_ = true; }  // no more heartbeats: let the queue of events run dry
  bool is_closing() const { return is_closing_; }

  // What the probe found out when the machines joined. Some are left out: unknown.
  void probe(bool everything);

  std::optional<RequestId> submit(std::shared_ptr<const Prompt> prompt, Duration within,
                                  ClientSide client);
  void leave(RequestId id);

  void on_announced(cluster::PeerAnnouncement announcement);
  void on_decode_ready() { pump_all(); }
  void on_agent_lost();

  void check_end() const;
  Process process;
  // Of all lives.
  struct Statistics {
    std::uint64_t remote = 0, alone = 0, completed_hand_offs = 0, fallbacks = 0, busy = 0;
    std::uint64_t within_10_percent = 0, decisions = 0;
    double first_token_s = 0;  // of the last request, from its decision
  };
  Statistics statistics() const;
  const cluster::RateBook& rates() const { return rates_; }
  cluster::PrefillSituation situation(const Prompt& prompt,
                                      const std::set<std::string>& tried) const;

 private:
  struct Request {
    RequestRun run;
    Instant deadline;
    std::shared_ptr<const Prompt> prompt;
    ClientSide client;
    DecodeAgent::WorkId work = 0;
    bool is_active = false;  // has one of the worker's sequences
    std::optional<std::uint64_t> decision;
    Instant decided{};
    bool as_chosen = true;
    std::optional<Instant> wake;
  };

  void pump(RequestId id);
  void pump_all();
  void choose(RequestId id);
  void hand_off(RequestId id, const StartHandOff& start);
  void on_hand_off_over(RequestId id, const std::string& peer, const cluster::DecodeRunOver& over);
  void generate(RequestId id);
  void on_token(RequestId id, std::uint32_t index, Token token);
  void decode_lost(RequestId id, Error error);
  void drop_work(Request& request);
  void finish(RequestId id, const std::optional<Error>& error);
  cluster::DecodeRunParameters parameters(const Prompt& prompt, const std::string& peer) const;
  PrefillAgent* find_peer(const std::string& name) const;
  std::uint32_t held_by(const std::string& peer, const Prompt& prompt) const;
  Request* find(RequestId id);
  std::size_t active_count() const;

  World& world_;
  DecodeAgent& decode_;
  std::vector<PrefillAgent*> peers_;
  bool is_closing_ = false;
  RequestId last_request_ = 0;
  DecodeAgent::WorkId last_work_ = 0;
  std::map<RequestId, Request> requests_;
  cluster::RateBook rates_;
  std::string saved_rates_;  // on disk
  std::unique_ptr<cluster::PeerTable> peer_table_;
  std::unique_ptr<cluster::DecisionLog> decisions_;
  std::map<std::string, std::set<kv::ChunkKey>> held_;  // by peers, as far as we know
  Statistics statistics_;
};

}  // namespace hearth::sim
