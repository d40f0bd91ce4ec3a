#pragma once
// One hand-off on its way in: the thin driver around cluster::DecodeRun. Peers' connections report
// what arrives, one reader asks what to do next.
//
// Thread-safe; lives in a shared_ptr.

#include <condition_variable>
#include <expected>
#include <map>
#include <memory>
#include <mutex>
#include <optional>

#include "hearth/base/stop.h"
#include "hearth/cluster/decode_run.h"
#include "hearth/kv/store.h"
#include "hearth/node/agent/agent_api.h"

namespace hearth::node {

class Delivery : public std::enable_shared_from_this<Delivery> {
 public:
  // `store` outlives this; what arrives is kept there as well. The first `held_chunks` of the chain
  // are in the decoding worker already and never given out.
  Delivery(cluster::DecodeRun run, std::span<const kv::ChunkKey> held, kv::ChunkStore& store);

  // --- the reader. Waits until there is something to do other than waiting: a chunk that it gave out
  // is answered first, by one of the three below. A fired token cancels the run.
  cluster::DecodeRunAction next(const StopToken& stop);
  // Without a chunk that waits for an answer these are nothing.
  void imported();
  void import_refused(const Error& error);
  void worker_lost(const Error& error);
  Instant chunk_began() const;  // when the first bytes of the last one came
  void on_reply(const Result<PrefillReply>& reply);

  // --- the peer's messages
  std::vector<kv::ChunkKey> missing(std::span<const kv::ChunkKey> keys);
  // Before a body: whether it may come. What is given holds its place until put(), or gives it back.
  class Place;
  std::expected<std::shared_ptr<Place>, kv::Refusal> admit(const kv::ChunkKey& key,
                                                           std::uint64_t chunk_bytes);
  // Nothing: it is here now. `began`: when its first bytes came.
  std::optional<kv::Refusal> put(Place& place, kv::SharedChunk chunk, Instant began);
  bool progress(std::uint32_t done_tokens);  // false: the hand-off is over
  void close(const cluster::ClosingManifest& manifest);
  void peer_failed(const std::string& why);

  kv::ReceiverStatistics statistics() const;

 private:
  // Looks at what the run wants; nothing: it wants to wait until `until_`.
  std::optional<cluster::DecodeRunAction> next_action();
  // Held chunks come from the store, or are passed over.
  bool load_held(cluster::ImportChunk& chunk);
  void give_back(kv::Reservation reservation);

  kv::ChunkStore& store_;
  const std::uint32_t held_chunks_;
  mutable std::mutex mutex_;  // what follows
  std::condition_variable changed_;
  cluster::DecodeRun run_;
  std::optional<std::uint32_t> taken_;  // the reader has it
  std::map<kv::ChunkKey, Instant> began_;
  Instant chunk_began_{};
  Instant until_{};
};

class Delivery::Place {
 public:
  Place(std::shared_ptr<Delivery> delivery, kv::Reservation reservation)
      : delivery_(std::move(delivery)), reservation_(reservation) {}
  ~Place() {
    if (reservation_) delivery_->give_back(*reservation_);
  }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;

 private:
  friend class Delivery;
  const std::shared_ptr<Delivery> delivery_;
  std::optional<kv::Reservation> reservation_;
};

}  // namespace hearth::node
