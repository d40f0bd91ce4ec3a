#pragma once
// What a machine offers its peers (agent_api.h), as routes for an HTTP server. It prefills for
// them with its worker, takes the chunks it waits for, gives out chunks it has.
//
// Thread-safe. It decides nothing: who prefills for whom is the caller's choice; a busy machine
// says so at once.

#include <atomic>
#include <functional>
#include <memory>

#include "hearth/net/http_router.h"
#include "hearth/node/agent/inbox.h"
#include "hearth/node/agent/peer_client.h"
#include "hearth/node/worker/worker_keeper.h"

namespace hearth::node {

struct AgentOptions {
  std::string name;
  std::string hearth_version;
  std::uint32_t prefills_max = 1;  // 0: this machine prefills for nobody
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

 private:
  Result<net::Response> prefill(const std::string& caller, const net::Request& request);
  Result<net::Response> missing(const std::string& peer, const net::Request& request,
                                const net::PathParams& params);
  Result<net::Response> put(const std::string& peer, const net::Request& request,
                            const net::PathParams& params);
  Result<net::Response> get(const net::PathParams& params);

  const AgentOptions options_;
  const std::string incarnation_;
  WorkerKeeper& keeper_;
  kv::ChunkStore& store_;
  Inbox& inbox_;
  net::HttpClient& http_;
  const Identify identify_;
  const std::shared_ptr<std::atomic<std::uint32_t>> prefills_running_;
};

}  // namespace hearth::node
