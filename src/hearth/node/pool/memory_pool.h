#pragma once
// The memory of several machines under one worker: which layers lie where, and the tunnels to the
// machines that lend theirs.
//
// A worker is arranged anew for each of its lives. At the first, every machine must be there and
// have the same build. Later, one that is gone for longer than `wait_for_lender` is left out, as
// long as the layers fit into the rest; it is asked again at the next life.
//
// Not thread-safe: arrange() is called by the worker's keeper alone. Tunnels live until the next
// call or the end of this.

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "hearth/cluster/layer_placement.h"
#include "hearth/model/shape.h"
#include "hearth/net/http_client.h"
#include "hearth/net/relay.h"
#include "hearth/node/membership/membership.h"
#include "hearth/node/pool/pool_api.h"
#include "hearth/node/worker/worker_options.h"

namespace hearth::node {

struct PoolOptions {
  std::filesystem::path worker_executable;
  std::vector<std::string> lenders;          // machines of the cluster, in the order of their layers
  std::map<std::string, double> shares{};      // by machine, this one too; all or none
  std::map<std::string, double> bandwidths{};  // GB/s of memory; likewise
  Duration wait_for_lender = std::chrono::seconds(10);  // its server may be starting again
};

class MemoryPool {
 public:
  MemoryPool(PoolOptions options, std::shared_ptr<ClusterMembership> membership);

  // The worker with its layers elsewhere. Errors name the machine.
  Result<WorkerOptions> arrange(WorkerOptions worker, std::uint32_t life, const StopToken& stop);

 private:
  struct Lender {
    std::string machine;
    net::Address tunnel;
    std::uint64_t free_bytes = 0;
  };
  Result<Lender> find_lender(const std::string& machine, const PoolEngine& own, const StopToken& stop) const;
  Result<LenderFacts> ask_lender(const std::string& machine, const net::Address& address, const StopToken& stop) const;
  cluster::PoolMachine pool_machine(const std::string& machine, std::uint64_t free_bytes) const;

  const PoolOptions options_;
  const std::shared_ptr<ClusterMembership> membership_;
  const std::unique_ptr<net::HttpClient> http_;
  std::vector<std::unique_ptr<net::Relay>> tunnels_;
};

// What the layers of a model take, with the KV of that context.
Result<cluster::LayerSizes> layer_sizes(const model::ModelShape& shape, const WorkerOptions& worker);

}  // namespace hearth::node
