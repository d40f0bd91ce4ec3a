#pragma once
// Puts the chunks of one hand-off to the peer that waits for them, while they are still being made:
// the thin driver around kv::ChunkSender. Chunks come from this machine's store.
//
// One thread runs run(); whoever makes the chunks calls the others from another.

#include <condition_variable>
#include <mutex>

#include "hearth/base/stop.h"
#include "hearth/kv/chunk_sender.h"
#include "hearth/kv/store.h"
#include "hearth/node/agent/peer_client.h"

namespace hearth::node {

class ChunkPush {
 public:
  // All of them outlive this.
  ChunkPush(const PeerClient& peer, std::string hand_off, kv::ChunkStore& store,
            std::vector<kv::ChunkKey> keys, std::uint64_t seed);

  // The chunk is in the store.
  void available(std::uint32_t index, std::uint64_t chunk_bytes);
  void producer_works();
  void producer_failed(Error error);

  // Until the peer has every chunk, or the transfer is given up.
  Result<kv::SenderStatistics> run(const StopToken& stop);

 private:
  void query(const kv::QueryMissing& action, const StopToken& stop);
  void put(const kv::PutChunk& action, const StopToken& stop);
  template <class Report>
  void report(Report report);

  const PeerClient& peer_;
  const std::string hand_off_;
  kv::ChunkStore& store_;
  std::mutex mutex_;  // what follows
  std::condition_variable changed_;
  kv::ChunkSender sender_;
};

}  // namespace hearth::node
