#pragma once
// The decode side of one remote prefill, from the question to the last import: what to ask, accept and import
// next, how long to wait, and when to compute the rest here. Whatever goes wrong ends with a number of committed
// tokens from which the decode side goes on; only its own worker can fail it.
//
// The driver asks next() after every report and does what it says. Messages of the peer come here
// only after TicketBook::check() found their ticket good. Chunks are proved by the
// kv::ChunkReceiver inside; nothing the peer says is believed.
// Not thread-safe. No I/O, no clock.

#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "hearth/cluster/prefill_curve.h"
#include "hearth/cluster/progress_deadline.h"
#include "hearth/cluster/ticket.h"
#include "hearth/kv/chunk_receiver.h"

namespace hearth::cluster {

// What the prefill side says when it is done.
struct ClosingManifest {
  std::uint32_t token_count = 0;
  std::uint32_t chunk_count = 0;
  model::ChunkKey last_key;
};

struct DecodeRunParameters {
  kv::SyncParameters patience;             // with the predictions for this pair
  kv::ReceiverLimits limits;
  std::uint32_t chunk_tokens = 1'024;
  std::uint32_t computed_from = 0;         // the first token that it announces anything of
  double prefix_s = 0;                     // predicted for what the peer lacks before it
  std::optional<PrefillCurve> remote, local;  // to see whether waiting is still worth it
  double transfer_token_s = 0, tail_s = 0, local_queue_s = 0;  // the wait of whoever would compute here instead
  Duration worker_piece{};                 // other work that an import may have to wait for
  std::uint32_t refusals_max = 12;         // chunks that no honest peer sends
  std::uint32_t idle_signs_max = 24;       // questions and bodies in a row that brought nothing: more keep no deadline off
};

struct AskPeer {
  Ticket ticket;
  Instant deadline;
};
struct ImportChunk {  // one at a time; on_imported(), on_import_refused() or on_held_lost() answers
  std::uint32_t index;
  kv::SharedChunk chunk;  // nullptr: it is in the local store, under `key`
  kv::ChunkKey key;
};
struct CancelPeer {};  // tell it, once; no answer is waited for
struct WaitForReport {
  Instant until;  // or until something is reported
};
struct DecodeRunOver {
  enum class Kind : std::uint8_t {
    complete,      // every chunk is in the worker
    compute_rest,  // the decode side computes from committed_tokens on
    busy,          // the peer has no time: take the next best
    worker_lost,   // the decoding worker failed to import
    cancelled,
  };
  Kind kind;
  std::uint32_t committed_tokens = 0;
  std::string reason;          // for people; empty when complete
  Duration busy_for{};         // the peer's wish, when busy
  bool peer_lied = false;      // more refused chunks than a bad link explains
};
using DecodeRunAction =
    std::variant<AskPeer, ImportChunk, CancelPeer, WaitForReport, DecodeRunOver>;

class DecodeRun {
 public:
  // invalid_argument when `chain` is not one (see kv::ChunkReceiver::create) or does not end at
  // ticket.token_count.
  static Result<DecodeRun> create(Ticket ticket, kv::AnnouncedChain chain,
                                  DecodeRunParameters parameters, Instant now);

  DecodeRunAction next(Instant now);

  // answers to the question
  void on_accepted(Duration first_piece, Instant now);
  void on_busy(Duration busy_for);
  void on_ask_failed(const Error& error);

  // messages of the peer
  std::vector<kv::ChunkKey> missing(Instant now);
  std::expected<kv::Reservation, kv::Refusal> admit(const kv::ChunkKey& key,
                                                    std::uint64_t chunk_bytes, Instant now);
  std::expected<std::uint32_t, kv::Refusal> on_body(kv::Reservation reservation,
                                                    kv::SharedChunk chunk, Instant now);
  void on_body_cut(kv::Reservation reservation) { receiver_.on_body_cut(reservation); }
  bool on_progress(std::uint32_t done_tokens, Instant now);  // false: over, or impossible; the peer is to stop
  void on_closing(const ClosingManifest& manifest);
  void on_peer_failed(const std::string& why);  // it says so, or its connection was refused

  // the local store and the worker
  void on_held(const kv::ChunkKey& key) { receiver_.on_held(key); }
  void on_held_lost(std::uint32_t index, const kv::ChunkKey& key);
  void on_imported(std::uint32_t index, Instant now);
  // The worker lives and will not take this chunk: its bytes are right, their meaning is not.
  void on_import_refused(std::uint32_t index, Error error);
  void on_worker_lost(Error error);

  void cancel();  // the client has left

  bool is_over() const { return outcome_.has_value(); }
  bool is_importing() const { return is_importing_ && !outcome_; }
  bool takes_chunks() const { return state_ == State::asking || state_ == State::running; }
  const Ticket& ticket() const { return ticket_; }
  const kv::ReceiverStatistics& statistics() const { return receiver_.statistics(); }

 private:
  // draining: the peer is done with; what is staged is still imported.
  enum class State : std::uint8_t { asking, running, draining, cancelling, over };

  DecodeRun(Ticket ticket, const kv::AnnouncedChain& chain, DecodeRunParameters parameters,
            kv::ChunkReceiver receiver, Instant now);
  using Reserved = std::expected<kv::Reservation, kv::Refusal>;
  Reserved on_admitted(Reserved reservation, std::uint64_t bytes, Instant now);
  std::optional<DecodeRunAction> next_import(Instant now);
  void look_at_time(Instant now);
  bool is_better_local(Instant now) const;
  void on_sign_of_life(Instant now);
  void stop_peer(std::string reason);
  void refused(kv::Refusal refusal);
  DecodeRunAction finish(DecodeRunOver::Kind kind);
  Duration next_piece() const;
  RemoteProgress progress(Instant now) const;

  Ticket ticket_;
  model::ChunkKey last_key_;
  std::uint32_t chunk_count_;
  DecodeRunParameters parameters_;
  kv::ChunkReceiver receiver_;
  State state_ = State::asking;
  bool was_asked_ = false, tell_peer_ = false, is_importing_ = false;
  Instant began_, last_arrival_;
  ProgressDeadline deadline_;
  Instant import_deadline_{};
  std::uint32_t done_tokens_ = 0, received_tokens_ = 0;
  std::uint32_t lies_ = 0, idle_signs_ = 0;
  std::string reason_;
  DecodeRunOver::Kind over_kind_ = DecodeRunOver::Kind::compute_rest;
  Duration busy_for_{};
  std::optional<DecodeRunOver> outcome_;
};

}  // namespace hearth::cluster
