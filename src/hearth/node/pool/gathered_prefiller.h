#pragma once
// Prefill by a worker whose layers lie on several machines, for a worker here that has them all: its
// KV is fetched once, chunk by chunk, while the rest is still being computed. Decoding then crosses
// no link.
//
// Owns that worker. Thread-safe. A lost machine costs what is missing of the prompt, which the
// decoding worker computes; the gathered one is started again meanwhile.

#include <memory>

#include "hearth/kv/store.h"
#include "hearth/node/prefiller.h"
#include "hearth/node/worker/worker_keeper.h"

namespace hearth::node {

// Fewer tokens than this many chunks are sooner computed than fetched.
inline constexpr std::uint32_t gathered_chunks_min = 2;

class GatheredPrefiller final : public Prefiller {
 public:
  // Waits until the layers are in place. `store`, which may be absent, outlives this.
  static Result<std::unique_ptr<GatheredPrefiller>> start(KeeperOptions options, kv::ChunkStore* store,
                                                          WorkerKeeper::Progress progress,
                                                          const StopToken& stop);

  Result<std::unique_ptr<ChunkSource>> open(const PrefillOrder& order, const StopToken& stop) override;
  WorkerKeeper& keeper() { return *keeper_; }

 private:
  explicit GatheredPrefiller(kv::ChunkStore* store);

  const std::unique_ptr<net::HttpClient> http_;
  kv::ChunkStore* const store_;
  std::unique_ptr<WorkerKeeper> keeper_;
};

}  // namespace hearth::node
