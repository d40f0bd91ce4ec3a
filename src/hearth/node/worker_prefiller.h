#pragma once
// Prefill by a worker on this machine: it gets what the store has of the prompt, then computes the
// rest and exports it.

#include "hearth/kv/store.h"
#include "hearth/node/prefiller.h"
#include "hearth/node/worker/worker_client.h"

namespace hearth::node {

class WorkerPrefiller final : public Prefiller {
 public:
  // All outlive this. `store` may be absent.
  WorkerPrefiller(const WorkerClient& worker, const WorkerInfo& info, kv::ChunkStore* store)
      : worker_(worker), info_(info), store_(store) {}
  Result<std::unique_ptr<ChunkSource>> open(const PrefillOrder& order, const StopToken& stop) override;

 private:
  Result<engine::LeaseId> fill_lease(const PrefillOrder& order, std::string_view adapter, const StopToken& stop);

  const WorkerClient& worker_;
  const WorkerInfo& info_;
  kv::ChunkStore* const store_;
};

}  // namespace hearth::node
