#pragma once
// Prefill by a worker whose layers lie on several machines, for a worker here that has them all: its
// KV is fetched once, chunk by chunk, while the rest is still being computed. Decoding then crosses
// no link.
//
// Owns that worker. Thread-safe. A lost machine costs what is missing of the prompt, which the
// decoding worker computes; the gathered one is started again meanwhile. Which prompts are worth it
// is the coordinator's to say (agent/prefill_gathered.cpp).

#include <functional>
#include <memory>
#include <string>

#include "hearth/kv/store.h"
#include "hearth/node/prefiller.h"
#include "hearth/node/worker/worker_keeper.h"

namespace hearth::node {

// A chunk that the pool computed.
struct GatheredPiece {
  kv::ChunkKey key;
  TokenRange range;
  std::uint64_t bytes = 0;
  Duration computed{};  // since the piece before it, or since the prompt was given to the pool
  Duration transfer{};  // from its first byte to its last
};

// Who wants to know how the reading of one prompt goes. Called by whoever reads and imports its chunks.
struct GatheredWatch {
  std::function<void(Duration)> on_begun = {};  // the time of one question and its answer
  std::function<void(const GatheredPiece&)> on_piece = {};
  std::function<void(std::uint32_t tokens, Duration)> on_imported = {};
  // The rest, from that token on, is computed here: the pool is gone, or a chunk of it was refused.
  std::function<void(const Error&, std::uint32_t committed_tokens)> on_lost = {};
  // It reads this prompt no longer, or never began.
  std::function<void()> on_over = {};
};

class GatheredPrefiller {
 public:
  // Waits until the layers are in place. `name`: of the pool, in decisions and rates; no machine has it. `store`,
  // which may be absent, outlives this.
  static Result<std::unique_ptr<GatheredPrefiller>> start(std::string name, KeeperOptions options,
                                                          kv::ChunkStore* store,
                                                          WorkerKeeper::Progress progress,
                                                          const StopToken& stop);

  // nullptr: its worker is being started, or has another layout.
  Result<std::unique_ptr<ChunkSource>> read(const PrefillOrder& order, GatheredWatch watch, const StopToken& stop);
  WorkerKeeper& keeper() { return *keeper_; }
  const std::string& name() const { return name_; }

 private:
  GatheredPrefiller(std::string name, kv::ChunkStore* store);

  const std::string name_;
  const std::unique_ptr<net::HttpClient> http_;
  kv::ChunkStore* const store_;
  std::unique_ptr<WorkerKeeper> keeper_;
};

}  // namespace hearth::node
