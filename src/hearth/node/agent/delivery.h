#pragma once
// The chunks of one hand-off on their way in: a peer puts them, in any number of tries; one reader
// takes them in order. Nothing is believed (kv/chunk_receiver.h), what waits is bounded.
//
// Thread-safe: peers' connections put, whoever hears the peer's events says so, one thread takes.

#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "hearth/base/clock.h"
#include "hearth/base/stop.h"
#include "hearth/kv/chunk_receiver.h"
#include "hearth/kv/store.h"

namespace hearth::node {

struct DeliveryOptions {
  std::string from;               // the only machine whose chunks count
  std::uint32_t held_chunks = 0;  // of the chain's beginning: in use already, not taken again
  // The peer is given up when it shows no sign of work for so long.
  Duration patience = std::chrono::seconds(10);
};

class Delivery {
 public:
  // `store` outlives this; what arrives is kept there as well.
  Delivery(kv::ChunkReceiver receiver, std::vector<kv::ChunkKey> held, kv::ChunkStore& store,
           DeliveryOptions options);

  // --- the reader
  // nullptr after the last chunk.
  Result<kv::SharedChunk> take(Deadline deadline, const StopToken& stop);
  Instant chunk_began() const;  // when the first bytes of the last one came

  // --- the peer's events
  void alive();  // it works
  void set_patience(Duration patience);
  void fail(Error error);

  // --- the peer's puts
  const std::string& from() const { return options_.from; }
  std::vector<kv::ChunkKey> missing(std::span<const kv::ChunkKey> keys);
  // Nothing: it is here now. `began`: when its first bytes came.
  std::optional<kv::Refusal> put(kv::SharedChunk chunk, Instant began);

  kv::ReceiverStatistics statistics() const;

 private:
  std::optional<Result<kv::SharedChunk>> take_now();  // with the lock

  kv::ChunkStore& store_;
  const DeliveryOptions options_;
  mutable std::mutex mutex_;  // what follows
  std::condition_variable changed_;
  kv::ChunkReceiver receiver_;
  std::optional<std::uint32_t> taken_;  // the reader has it
  std::map<kv::ChunkKey, Instant> began_;
  Instant chunk_began_{};
  std::optional<Error> failed_;
  Duration patience_;
  Instant last_sign_;
};

}  // namespace hearth::node
