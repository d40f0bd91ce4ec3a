#pragma once
// A machine's part in a cluster, complete: membership, the service that peers call over mutual
// TLS, and (where it answers requests) the coordinator. Everything else is in its parts; this
// builds and connects them.
//
// Threads: its own ("membership", which renews the certificate in time) and those of its parts.

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <utility>

#include "hearth/base/guarded.h"
#include "hearth/net/http_server.h"
#include "hearth/node/agent/assignment.h"
#include "hearth/node/agent/prefill_coordinator.h"
#include "hearth/node/local_model.h"
#include "hearth/node/membership/membership.h"
#include "hearth/node/pool/lender.h"

namespace hearth::node {

struct AgentConfig {
  std::filesystem::path directory;  // the cluster's folder
  std::string listen;               // HOST:PORT; empty: this member's port on every address
  std::string hearth_version;
  std::uint32_t prefills_max = 1;
  bool coordinates = false;         // this machine answers requests: others may prefill for it
  cluster::PrefillPolicy prefill = cluster::PrefillPolicy::automatic;
  // As in CoordinatorOptions.
  cluster::ParityLimits parity{};
  std::map<std::string, double> other_precision{};
  Duration canary_interval = canary_interval_default;
  GatheredPrefiller* pool = nullptr;     // reads prompts for this machine; outlives the agent
  std::optional<LenderOptions> lends{};  // its memory, to workers of others
  // Findings about this machine, for a member's `hearth check` (GET /v1/check); absent: none. Any thread.
  std::function<Json()> look_at_machine{};
  std::optional<AssignmentDesk> assignments{};  // takes what hearth up tells; absent: refuses
};

class Agent {
 public:
  // `model` keeps a store and outlives this; nullptr on a machine that only lends its memory or waits
  // for an assignment.
  // invalid_argument when this member has no address.
  static Result<std::unique_ptr<Agent>> start(AgentConfig config, LocalModel* model, const StopToken& stop);
  // The model answers alone from then on; every answer that was begun before has ended.
  ~Agent();
  Agent(const Agent&) = delete;
  Agent& operator=(const Agent&) = delete;

  const std::string& machine() const { return membership_->machine(); }
  const net::Address& address() const { return address_; }
  PrefillCoordinator* coordinator() { return coordinator_.get(); }  // nullptr: does not coordinate
  const Lender* lender() const { return lender_.get(); }  // nullptr: does not lend
  Json status() const;
  // Where status() gets the answers on their way, a list; an empty one takes it away again, and waits for a
  // call that runs.
  void set_answers(std::function<Json()> answers) {
    answers_.with([&](auto& known) { known = std::move(answers); });
  }

 private:
  Agent(AgentConfig config, LocalModel* model, std::shared_ptr<ClusterMembership> membership);
  Result<> open(const StopToken& stop);
  void serve_model(const net::Address& reached_at, std::uint64_t incarnation);
  net::Router routes();
  Result<net::Response> try_peer(const net::Request& request) const;
  Result<net::Response> set_policy(const net::Request& request);
  Result<net::Response> take_assignment(const net::Request& request) const;
  Json assignment_status() const;
  std::vector<Peer> find_peers() const;
  void learn_members();
  void keep_membership();

  const AgentConfig config_;
  LocalModel* const model_;
  const std::shared_ptr<ClusterMembership> membership_;
  std::unique_ptr<net::HttpClient> http_;
  std::unique_ptr<Inbox> inbox_;  // this and the next two: not without a model
  std::unique_ptr<AgentService> service_;
  std::unique_ptr<PrefillCoordinator> coordinator_;
  std::unique_ptr<Lender> lender_;
  net::Address address_;  // where it listens; its handlers may not ask server_, which comes and goes
  std::unique_ptr<net::HttpServer> server_;
  Guarded<std::function<Json()>> answers_;
  StopSource stop_;
  Thread membership_thread_;
};

}  // namespace hearth::node
