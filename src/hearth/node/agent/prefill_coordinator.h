#pragma once
// Who prefills: the driver around the choice (cluster/prefill_choice.h). Looks at the peers every
// few seconds, tries a pair before it trusts it, learns rates from what is done, asks the peers in
// the order of their predicted seconds, and remembers what it decided and what came of it.
//
// Thread-safe. "peer_watch" looks at the peers; trials, long ones, run on "pair_trial", one at a time.

#include <atomic>
#include <condition_variable>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "hearth/base/thread.h"
#include "hearth/cluster/decision_log.h"
#include "hearth/cluster/parity.h"
#include "hearth/cluster/peer_holdings.h"
#include "hearth/cluster/peer_state.h"
#include "hearth/cluster/prompt_queue.h"
#include "hearth/node/agent/agent_service.h"
#include "hearth/node/agent/coordinator_options.h"
#include "hearth/node/agent/peer_prefiller.h"

namespace hearth::node {

class PrefillCoordinator final : public Prefiller {
 public:
  // All of them outlive this.
  PrefillCoordinator(CoordinatorOptions options, AgentService& agent, WorkerKeeper& keeper, Inbox& inbox,
                     net::HttpClient& http);
  ~PrefillCoordinator() override;

  // nullptr: this machine had better compute it, or nobody else can.
  Result<std::unique_ptr<ChunkSource>> open(const PrefillOrder& order, const StopToken& stop) override;
  void on_first_token(const FirstToken& first) override;
  void on_left(std::uint64_t request) override;

  void set_policy(cluster::PrefillPolicy policy) { policy_ = policy; }  // from the next request on
  cluster::PrefillPolicy policy() const { return policy_; }

  Json decisions() const;  // docs/coordinator.md
  Json peers() const;      // [{name, address, state, parity, ...}]
  // It was tried in this life, computed what this machine computes, and has sent nothing since that no honest one sends.
  bool is_trusted(const std::string& peer) const;
  // Tries a pair again, now. not_found: no such peer.
  Result<cluster::JudgedParity> try_peer(const std::string& name, const StopToken& stop);
  // Waits until every peer that is known has been looked at, and tried where it can be reached.
  bool wait_until_tried(Deadline deadline) const;

 private:
  struct PeerNotes {
    Peer peer;
    std::optional<cluster::Parity> parity;
    std::string trouble;              // of the last look or trial
    std::uint64_t incarnation = 0;    // that was tried
    std::optional<kv::LayoutDigest> foreign_layout;  // of its quantisation, where that is another
    std::uint64_t pieces_seen = 0;    // of its prefill observations
    bool was_looked_at = false;
    Instant looked_at{};
    bool is_silent = false;           // at the last look
    std::uint32_t trials_failed = 0;  // in a row
    Instant try_after{};
    Instant canary_at = Instant::max();  // tried again then
  };
  struct Running {
    std::uint64_t decision = 0;
    bool as_chosen = true;
    std::string outcome;
    std::uint32_t prompt_tokens = 0;
    bool can_be_shadowed = false;       // nothing of it was there, and this machine was idle
    std::vector<std::string> prefills;  // by option: who computes; empty: this machine
  };
  struct Shadow {
    std::uint64_t decision = 0;
    std::size_t option = 0;
    std::uint32_t prompt_tokens = 0;
    std::optional<Peer> peer;  // absent: this machine alone
  };

  void load_rates();
  void save_rates() const;
  void watch();
  std::vector<Peer> renew_peers();
  std::vector<Peer> due_for_a_look(std::vector<Peer> peers) const;
  void look_at(const Peer& peer);
  // Whether the pair has to be tried.
  Result<bool> take_facts(const Peer& peer, const NodeFacts& facts, double round_trip_s);
  bool is_idle() const;
  void settle(const std::string& name, std::string trouble);
  cluster::ParityLimits limits_for(const std::string& peer) const;
  void keep_canary(const std::string& peer, PeerNotes& notes, const Result<cluster::JudgedParity>& tried);
  Result<cluster::JudgedParity> try_and_learn(const Peer& peer, const StopToken& stop);
  std::optional<cluster::HeldModel> own_model() const;
  cluster::PrefillSituation situation(const PrefillOrder& order, const std::set<std::string>& tried) const;
  void learn_pieces(PeerNotes& notes, const NodeFacts& facts);
  // How a peer is asked; of a trial all is empty.
  struct Way {
    std::uint32_t from = 0;     // tokens of the prompt that are here
    bool moves_prefix = false;  // bring the peer what it lacks of them
    double prefix_s = 0;        // predicted for that, or for computing it there
    double local_queue_s = 0;   // what this machine would have to compute before
    cluster::Beside beside = cluster::Beside::nothing;  // what this machine does meanwhile
    std::optional<std::uint64_t> request = {};
  };
  PeerPrefiller prefiller_for(const Peer& peer, const Way& way);
  cluster::PrefillSide pool_side(const PrefillOrder& order, bool was_asked) const;
  // `work_s`: predicted, without any wait; 0: nobody knows.
  Result<std::unique_ptr<ChunkSource>> ask_pool(const PrefillOrder& order, double work_s, const StopToken& stop);
  void forget(std::uint64_t request, const std::string& why);
  void start_shadow();
  std::optional<Shadow> take_shadow();
  void run_shadow_check(const Shadow& shadow);
  void start_trial(const Peer& peer);
  void run_trial(const Peer& peer);
  void on_over(const std::string& peer, std::uint64_t request, const cluster::DecodeRunOver& over);
  void finish_here(const std::string& peer, std::uint64_t request, const std::string& reason,
                   std::uint32_t committed_tokens);
  void note_rest(std::uint64_t request, const Running& running, std::uint32_t committed_tokens);

  const CoordinatorOptions options_;
  AgentService& agent_;
  WorkerKeeper& keeper_;
  Inbox& inbox_;
  net::HttpClient& http_;
  std::atomic<cluster::PrefillPolicy> policy_;
  StopSource stop_;
  mutable std::mutex mutex_;  // what follows
  mutable std::condition_variable changed_;
  std::map<std::string, PeerNotes> notes_;
  bool were_found_ = false;
  cluster::PeerTable table_;
  cluster::PeerHoldings holdings_;
  cluster::PromptQueue own_queue_;   // of this machine's worker
  cluster::PromptQueue pool_queue_;  // of the pool's
  cluster::RateBook rates_;
  cluster::DecisionLog log_;
  std::map<std::uint64_t, Running> running_;  // by request
  std::optional<Running> last_finished_;  // whose alternative may be run, once
  bool is_trying_ = false;
  Thread trial_thread_;  // peer_watch's alone
  Thread thread_;
};

}  // namespace hearth::node
