#pragma once
// One side of a chunk transfer: brings the peer's store to hold a whole chain, while the chain may
// still be in the making. No I/O, no clock, no thread: the driver asks next() what to do, does it,
// reports what happened, asks again.
//
// One PUT is in flight at a time, so a cut link costs at most one chunk; after every doubt (cut,
// lost reply, gap, restarted peer) the peer is asked what it lacks before anything is sent again.
// A chunk that the peer has is never sent.
// Not thread-safe: one thread, or the driver's lock.

#include <cstdint>
#include <optional>
#include <span>
#include <unordered_map>
#include <variant>
#include <vector>

#include "hearth/base/random.h"
#include "hearth/kv/chunk.h"
#include "hearth/kv/sync_parameters.h"

namespace hearth::kv {

// Names one request. What is reported for an attempt that is over is ignored and counted.
struct AttemptId {
  std::uint64_t value = 0;
  auto operator<=>(const AttemptId&) const = default;
};

// Start a request. Whoever asks next() at `deadline` hears that it is lost; a driver that waits for the
// reply itself reports what came of it, early or late.
struct QueryMissing {
  AttemptId attempt;
  std::span<const ChunkKey> keys;  // the whole chain; valid as long as the sender
  Instant deadline;
};
struct PutChunk {
  AttemptId attempt;
  std::uint32_t index;
  ChunkKey key;
  Instant deadline;
};
struct WaitUntil {
  Instant when;  // or until something is reported
};
struct GiveUp {  // final; a request in flight is to be aborted
  Error error;
};
struct TransferDone {};  // final: the peer has acknowledged or already had every chunk
using SendAction = std::variant<QueryMissing, PutChunk, WaitUntil, GiveUp, TransferDone>;

enum class PutFailure : std::uint8_t {
  link,         // cut, timed out, reset: whether it arrived is unknown
  damaged,      // the peer saw other bytes than the digest says
  busy,         // the peer's staging is full; costs no attempt, but patience
  gap,          // the peer lacks a chunk before this one: it has restarted or evicted
  unavailable,  // the chunk is gone from our own store; wait for it to be made again
  refused,      // the peer will never take it: final
};

struct SenderStatistics {
  std::uint32_t queries = 0, puts = 0, acknowledged = 0, already_there = 0;
  std::uint32_t resent = 0;  // puts of a chunk that had been put before
  std::uint32_t failures = 0, busy = 0, stale_reports = 0;
  std::uint64_t bytes_acknowledged = 0;
};

class ChunkSender {
 public:
  // `keys`: the chain in order, at most transfer_chunks_max. `seed` spreads the back-off.
  ChunkSender(std::vector<ChunkKey> keys, const SyncParameters& parameters, std::uint64_t seed,
              Instant now);

  // What to do now. While a request is in flight: WaitUntil its deadline. Asking again changes
  // nothing; asking after the deadline counts the request as lost.
  SendAction next(Instant now);

  // The chunk is in the local store. Also resets the producer's deadline.
  void on_available(std::uint32_t index, std::uint64_t chunk_bytes, Instant now);
  // The producer lives (prefill advanced), though no chunk came of it yet.
  void on_producer_progress(Instant now);
  void on_producer_failed(Error error);

  // The peer's answer: those of the asked keys that it lacks. Keys that were not asked for end the
  // transfer: the peer does not understand us.
  void on_missing(AttemptId attempt, std::span<const ChunkKey> missing, Instant now);
  // invalid_argument, unsupported and permission end the transfer; anything else is tried again.
  void on_query_failed(AttemptId attempt, Error error, Instant now);
  // Stored, or the peer had it already.
  void on_stored(AttemptId attempt, Instant now);
  // `retry_after`: the peer's wish, when it named one.
  void on_put_failed(AttemptId attempt, PutFailure failure, Error error, Instant now,
                     std::optional<Duration> retry_after = {});
  // The connection is gone: what is in flight is lost, and the peer is asked again.
  void on_link_lost(Instant now);
  void cancel();

  bool is_over() const { return outcome_.has_value(); }
  const SenderStatistics& statistics() const { return statistics_; }

 private:
  enum class Need : std::uint8_t { unknown, wanted, there };
  struct Item {
    Need need = Need::unknown;
    bool is_available = false;
    bool was_put = false;
    std::uint64_t chunk_bytes = 0;
  };
  struct InFlight {
    AttemptId attempt;
    std::optional<std::uint32_t> index;  // nothing: the query
    Instant deadline;
  };

  SendAction final_action() const;
  SendAction start_query(Instant now);
  SendAction start_put(Instant now);
  SendAction wait_for_producer(Instant now);
  void failed(Error error, bool must_ask, Instant now);
  void wait_for_peer(Error error, Instant now, std::optional<Duration> retry_after);
  void end(std::optional<Error> error);
  // The report belongs to what is in flight; otherwise it is counted and ignored.
  bool is_current(AttemptId attempt);

  std::vector<ChunkKey> keys_;
  std::unordered_map<ChunkKey, std::uint32_t> index_;
  SyncParameters parameters_;
  Random random_;
  std::vector<Item> items_;
  std::uint32_t first_wanted_ = 0;  // everything before it is there
  bool must_ask_ = true;
  std::optional<InFlight> in_flight_;
  std::uint64_t last_attempt_ = 0;
  std::uint32_t failures_without_progress_ = 0;
  Instant not_before_;           // back-off
  Instant producer_deadline_;
  std::optional<Instant> busy_deadline_;
  struct Outcome {
    std::optional<Error> error;
  };
  std::optional<Outcome> outcome_;
  SenderStatistics statistics_;
};

}  // namespace hearth::kv
