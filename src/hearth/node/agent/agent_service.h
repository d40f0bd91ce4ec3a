#pragma once
// What a machine offers its peers (agent_api.h), as routes for an HTTP server. It prefills for
// them with its worker, takes the chunks it waits for, gives out chunks it has.
//
// Thread-safe. It decides nothing: who prefills for whom is the caller's choice; a busy machine
// says so at once.

#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <mutex>

#include "hearth/base/places.h"
#include "hearth/cluster/prefill_desk.h"
#include "hearth/net/http_router.h"
#include "hearth/node/agent/hand_off_counts.h"
#include "hearth/node/agent/inbox.h"
#include "hearth/node/agent/prefill_job.h"

namespace hearth::node {

struct AgentOptions {
  std::string name;
  std::string hearth_version;
  std::uint32_t prefills_max = 1;  // 0: this machine prefills for nobody
  bool needs_tls = false;          // chunks go to addresses with TLS only
};

class AgentService {
 public:
  // The name of the machine at the other end, as its certificate has it; permission without one.
  using Identify = std::function<Result<std::string>(const net::Request&)>;

  // All of them outlive this, and this its routes' server.
  AgentService(AgentOptions options, WorkerKeeper& keeper, kv::ChunkStore& store, Inbox& inbox,
               net::HttpClient& http, Identify identify);

  net::Router routes();
  // unavailable while there is no worker.
  Result<NodeFacts> facts() const;
  const std::string& hearth_version() const { return options_.hearth_version; }
  HandOffCounts counts() const;
  // What is prefilled for others now: {kind, machine, tokens, seconds}.
  Json running() const;
  // A chunk that a peer sent or fetched, for whoever learns how fast links are and what peers have.
  struct Transfer {
    std::string peer;
    kv::ChunkKey key;
    struct Arrival {
      std::uint64_t bytes = 0;
      double seconds = 0;
    };
    std::optional<Arrival> arrival = {};  // of one that was sent here
  };
  using OnTransfer = std::function<void(const Transfer&)>;
  // Before the server starts.
  void set_on_transfer(OnTransfer on_transfer) { on_transfer_ = std::move(on_transfer); }
  // Whose stored KV a prefill for it may begin with, and this store then keeps; of others it is computed. Before the
  // server starts; unset: everybody's.
  using TakesStored = std::function<bool(const std::string& peer)>;
  void set_takes_stored(TakesStored takes_stored) { takes_stored_ = std::move(takes_stored); }

 private:
  void count_taken(std::uint64_t bytes, bool is_refused);
  void keep_piece(const PrefillPiece& piece);
  // Until the first sign of progress of a prefill, as predicted. With the lock.
  Duration first_piece(std::uint32_t depth_tokens, std::uint32_t chunk_tokens) const;
  using PeerHandler =
      Result<net::Response> (AgentService::*)(const std::string& peer, net::Request& request,
                                              const net::PathParams& params);
  void add(net::Router& router, std::string method, std::string_view path, PeerHandler handler,
           net::RouteOptions options = {});
  Result<std::shared_ptr<Delivery>> delivery_of(const std::string& peer, const net::Request& request);

  Result<net::Response> node(const std::string&, net::Request&, const net::PathParams&);
  Result<net::Response> prefill(const std::string&, net::Request&, const net::PathParams&);
  Result<net::Response> cancel(const std::string&, net::Request&, const net::PathParams&);
  Result<net::Response> missing(const std::string&, net::Request&, const net::PathParams&);
  Result<net::Admitted> admit_prompt(const net::Request& request) const;
  Result<net::Admitted> admit_message(const net::Request& request);
  Result<net::Admitted> admit(const net::Request& request, std::uint64_t body_bytes,
                              const net::PathParams& params);
  Result<net::Response> put(const std::string&, net::Request&, const net::PathParams&);
  Result<net::Response> progress(const std::string&, net::Request&, const net::PathParams&);
  Result<net::Response> closing(const std::string&, net::Request&, const net::PathParams&);
  Result<net::Response> failed(const std::string&, net::Request&, const net::PathParams&);
  Result<net::Response> chunk(const std::string&, net::Request&, const net::PathParams&);

  struct Job {
    cluster::HandOffId id;
    std::unique_ptr<PrefillJob> job;
    std::string caller;
    std::uint32_t token_count = 0;
    Instant began{};
  };
  using Jobs = std::list<Job>;
  // Takes out those that are over, or of `id`; the caller drops them after unlocking.
  Jobs sweep(const std::optional<cluster::HandOffId>& id);

  const AgentOptions options_;
  WorkerKeeper& keeper_;
  kv::ChunkStore& store_;
  Inbox& inbox_;
  net::HttpClient& http_;
  const Identify identify_;
  OnTransfer on_transfer_;
  TakesStored takes_stored_;
  const Places prompt_places_;  // for prompts that are being received
  mutable std::mutex mutex_;  // what follows
  cluster::PrefillDesk desk_;
  std::uint64_t pieces_done_ = 0;
  std::deque<PrefillPiece> pieces_;
  HandOffCounts counts_;
  Jobs jobs_;
};

}  // namespace hearth::node
