#pragma once
// The prefill side of one hand-off: chunks go to the decode side as they are computed (a
// kv::ChunkSender inside), progress goes along from the first batch on, and a closing manifest ends
// it. What it holds, it holds under a lease: a duration that starts again with every reply of the
// decode side, and at whose end everything is freed without asking anybody. While there is nothing
// to say, the last progress is said again, thrice within a lease: what takes long to compute keeps its lease.
//
// The driver computes, exports and sends; it asks next() after every report.
// Not thread-safe. No I/O, no clock.

#include <cstdint>
#include <optional>
#include <variant>
#include <vector>

#include "hearth/cluster/decode_run.h"
#include "hearth/cluster/ticket.h"
#include "hearth/kv/chunk_sender.h"

namespace hearth::cluster {

// Computed so far; a reply renews the lease, "over" ends the run. A lost one is not repeated: the next
// one comes in time.
struct SendProgress {
  std::uint32_t done_tokens;
};
struct SendClosing {
  ClosingManifest manifest;
};
struct PrefillRunOver {  // free everything; the chunks themselves stay in the store
  std::optional<Error> error;
  bool tell_peer = false;  // it may still wait for us
};
using PrefillRunAction = std::variant<kv::QueryMissing, kv::PutChunk, SendProgress, SendClosing,
                                      WaitForReport, PrefillRunOver>;

class PrefillRun {
 public:
  // `keys`: of the whole chain up to ticket.token_count.
  PrefillRun(Ticket ticket, std::vector<kv::ChunkKey> keys, const kv::SyncParameters& parameters,
             std::uint64_t seed, Instant now);

  PrefillRunAction next(Instant now);

  // the worker
  void on_computed(std::uint32_t done_tokens, Instant now);
  void on_available(std::uint32_t index, std::uint64_t chunk_bytes, Instant now);
  void on_prefill_failed(Error error);

  // replies of the decode side to query and put; see kv::ChunkSender
  void on_missing(kv::AttemptId attempt, std::span<const kv::ChunkKey> missing, Instant now);
  void on_query_failed(kv::AttemptId attempt, Error error, Instant now);
  void on_stored(kv::AttemptId attempt, Instant now);
  void on_put_failed(kv::AttemptId attempt, kv::PutFailure failure, Error error, Instant now,
                     std::optional<Duration> retry_after = {});
  // to progress and closing
  void on_acknowledged(Instant now);
  // Any reply that says the hand-off is over there, and its cancel.
  void on_peer_over();
  // This side stops: shutting down, or replaced by a later attempt.
  void cancel(Error why);

  bool is_over() const { return outcome_.has_value(); }
  const Ticket& ticket() const { return ticket_; }
  const kv::SenderStatistics& statistics() const { return sender_.statistics(); }

 private:
  void renew(Instant now);
  void end(std::optional<Error> error, bool tell_peer);

  Ticket ticket_;
  ClosingManifest manifest_;
  kv::SyncParameters parameters_;
  kv::ChunkSender sender_;
  Instant lease_until_, heartbeat_at_;
  std::uint32_t done_tokens_ = 0, told_tokens_ = 0;
  bool is_closing_ = false;
  Instant closing_until_{};
  std::optional<PrefillRunOver> outcome_;
};

}  // namespace hearth::cluster
