#include "hearth/cluster/decode_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "hearth/base/check.h"

namespace hearth::cluster {
namespace {

using Kind = DecodeRunOver::Kind;

// Silence is a reason to reconsider too, long before it means death.
constexpr Duration reconsider_interval = std::chrono::milliseconds(100);

Duration to_duration(double s) {
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(s));
}

// What a link that damages, cuts and repeats cannot explain.
bool is_lie(kv::Refusal refusal) {
  return refusal == kv::Refusal::forged_key || refusal == kv::Refusal::foreign_layout ||
         refusal == kv::Refusal::wrong_range || refusal == kv::Refusal::not_announced ||
         refusal == kv::Refusal::too_large || refusal == kv::Refusal::partial_end;
}

}  // namespace

Result<DecodeRun> DecodeRun::create(Ticket ticket, kv::AnnouncedChain chain,
                                    DecodeRunParameters parameters, Instant now) {
  auto receiver = TRY(kv::ChunkReceiver::create(chain, parameters.limits));
  if (chain.ranges.back().end != ticket.token_count || chain.layout != ticket.layout) {
    return fail(Code::invalid_argument,
                fmt::format("the ticket is for {} tokens of layout {}, the chain has {} of {}",
                            ticket.token_count, ticket.layout.short_hex(), chain.ranges.back().end,
                            chain.layout.short_hex()));
  }
  return DecodeRun(std::move(ticket), chain, std::move(parameters), std::move(receiver), now);
}

DecodeRun::DecodeRun(Ticket ticket, const kv::AnnouncedChain& chain, DecodeRunParameters parameters,
                     kv::ChunkReceiver receiver, Instant now)
    : ticket_(std::move(ticket)),
      last_key_(chain.keys.back()),
      chunk_count_(static_cast<std::uint32_t>(chain.keys.size())),
      parameters_(std::move(parameters)),
      receiver_(std::move(receiver)),
      began_(now),
      last_arrival_(now),
      deadline_(parameters_.patience, Duration::zero(), now),
      done_tokens_(parameters_.computed_from) {}

Duration DecodeRun::next_piece() const {
  if (!parameters_.remote) return parameters_.patience.chunk_compute;
  const std::uint32_t left = ticket_.token_count - std::min(done_tokens_, ticket_.token_count);
  const auto predicted =
      parameters_.remote->seconds(std::min(left, parameters_.chunk_tokens), done_tokens_);
  const double chunk_s = predicted ? predicted->value : seconds(parameters_.patience.chunk_compute);
  return to_duration(chunk_s + parameters_.tail_s);
}

RemoteProgress DecodeRun::progress(Instant now) const {
  return {.first_token = parameters_.computed_from,
          .prefix_s = parameters_.prefix_s,
          .done_tokens = done_tokens_,
          .end_tokens = ticket_.token_count,
          .piece_tokens = parameters_.chunk_tokens,
          .elapsed_s = seconds(now - began_),
          .received_tokens = std::max(received_tokens_, receiver_.committed_tokens()),
          .transfer_token_s = parameters_.transfer_token_s,
          .waiting_s = seconds(now - last_arrival_),
          .tail_s = parameters_.tail_s,
          .committed_tokens = receiver_.committed_tokens()};
}

DecodeRunAction DecodeRun::next(Instant now) {
  if (outcome_) return *outcome_;
  look_at_time(now);
  if (state_ == State::asking && !was_asked_) {
    was_asked_ = true;
    return AskPeer{ticket_, deadline_.when()};
  }
  if (tell_peer_) {
    tell_peer_ = false;
    return CancelPeer{};
  }
  if (state_ == State::over) return finish(over_kind_);
  if (auto action = next_import(now)) return *action;
  Instant until = takes_chunks() ? deadline_.when() : Instant::max();
  if (state_ == State::running && parameters_.remote && parameters_.local) {
    until = std::min(until, now + reconsider_interval);
  }
  return WaitForReport{is_importing_ ? std::min(until, import_deadline_) : until};
}

std::optional<DecodeRunAction> DecodeRun::next_import(Instant now) {
  if (is_importing_) return {};
  if (state_ == State::cancelling) return finish(Kind::cancelled);
  // The next best peer is to be asked now; what is held here is imported then.
  if (state_ == State::draining && over_kind_ == Kind::busy) return finish(Kind::busy);
  const kv::ReceiveAction action = receiver_.next();
  const auto* staged = std::get_if<kv::ImportStaged>(&action);
  const auto* held = std::get_if<kv::ImportHeld>(&action);
  if (staged || held) {
    is_importing_ = true;
    import_deadline_ =
        ProgressDeadline(parameters_.patience,
                         parameters_.worker_piece + parameters_.patience.chunk_import, now)
            .when();
    if (held) return ImportChunk{held->index, nullptr, held->key};
    return ImportChunk{staged->index, staged->chunk, staged->chunk->header.key};
  }
  if (std::holds_alternative<kv::ImportComplete>(action)) return finish(Kind::complete);
  if (state_ == State::draining) return finish(over_kind_);
  return {};
}

void DecodeRun::look_at_time(Instant now) {
  if (is_importing_ && now >= import_deadline_) {
    return on_worker_lost({Code::timed_out, "it did not import a chunk in time"});
  }
  if (!takes_chunks()) return;
  if (deadline_.passed(now)) {
    stop_peer(state_ == State::asking ? "the prefill machine did not answer in time"
                                      : "the prefill machine shows no progress");
  } else if (state_ == State::running && is_better_local(now)) {
    stop_peer("the prefill machine is slower than computing the rest here");
  }
}

bool DecodeRun::is_better_local(Instant now) const {
  const RemoteProgress at = progress(now);
  const double queue_s = std::max(0.0, parameters_.local_queue_s - at.elapsed_s);
  return should_finish_locally(at, parameters_.remote, parameters_.local, queue_s);
}

void DecodeRun::stop_peer(std::string reason) {
  if (!takes_chunks()) return;
  state_ = State::draining;
  reason_ = std::move(reason);
  tell_peer_ = was_asked_;
}

void DecodeRun::on_sign_of_life(Instant now) {
  if (state_ == State::asking) {
    // Its yes is late or lost, but it works.
    state_ = State::running;
    began_ = last_arrival_ = now;
  }
  if (state_ == State::running) deadline_.on_progress(next_piece(), now);
}

void DecodeRun::on_accepted(Duration first_piece, Instant now) {
  if (state_ != State::asking) return;
  on_sign_of_life(now);
  deadline_.on_progress(first_piece, now);
}

void DecodeRun::on_busy(Duration busy_for) {
  if (state_ != State::asking) return;
  stop_peer("the prefill machine is busy");
  tell_peer_ = false;
  over_kind_ = Kind::busy;
  busy_for_ = busy_for;
}

void DecodeRun::on_ask_failed(const Error& error) {
  if (state_ != State::asking) return;
  stop_peer("the prefill machine refused: " + error.message);
  // A lost reply may have been a yes.
  tell_peer_ = error.code == Code::unavailable || error.code == Code::timed_out;
}

std::vector<kv::ChunkKey> DecodeRun::missing(Instant now) {
  if (++idle_signs_ <= parameters_.idle_signs_max) on_sign_of_life(now);
  return receiver_.missing();
}

void DecodeRun::refused(kv::Refusal refusal) {
  if (is_lie(refusal) && ++lies_ >= parameters_.refusals_max) {
    stop_peer(fmt::format("the prefill machine sent {} chunks that cannot be right, the last: {}",
                          lies_, kv::refusal_name(refusal)));
  }
}

std::expected<kv::Reservation, kv::Refusal> DecodeRun::admit(const kv::ChunkKey& key,
                                                             std::uint64_t chunk_bytes,
                                                             Instant now) {
  if (!takes_chunks()) return std::unexpected(kv::Refusal::over);
  return on_admitted(receiver_.admit(key, chunk_bytes), chunk_bytes, now);
}

DecodeRun::Reserved DecodeRun::on_admitted(Reserved reservation, std::uint64_t bytes, Instant now) {
  if (!reservation) {
    refused(reservation.error());
    return reservation;
  }
  if (++idle_signs_ > parameters_.idle_signs_max) return reservation;
  on_sign_of_life(now);
  // The body may take as long as the link needs for it.
  deadline_.on_progress(to_duration(static_cast<double>(bytes) /
                                    parameters_.patience.link_bytes_per_s),
                        now);
  return reservation;
}

std::expected<std::uint32_t, kv::Refusal> DecodeRun::on_body(kv::Reservation reservation,
                                                             kv::SharedChunk chunk, Instant now) {
  if (!takes_chunks()) {
    receiver_.on_body_cut(reservation);
    return std::unexpected(kv::Refusal::over);
  }
  const std::uint32_t end = chunk->header.range.end;
  auto accepted = receiver_.on_body(reservation, std::move(chunk));
  if (!accepted) {
    refused(accepted.error());
    return accepted;
  }
  done_tokens_ = std::max(done_tokens_, end);
  received_tokens_ = std::max(received_tokens_, end);
  last_arrival_ = now;
  idle_signs_ = 0;
  on_sign_of_life(now);
  return accepted;
}

bool DecodeRun::on_progress(std::uint32_t done_tokens, Instant now) {
  if (!takes_chunks() || done_tokens > ticket_.token_count) return false;
  // Saying the same again is not progress.
  if (done_tokens > done_tokens_ || state_ == State::asking) {
    done_tokens_ = std::max(done_tokens_, done_tokens);
    idle_signs_ = 0;
    on_sign_of_life(now);
  }
  return true;
}

void DecodeRun::on_closing(const ClosingManifest& manifest) {
  if (!takes_chunks()) return;
  if (manifest.token_count != ticket_.token_count || manifest.chunk_count != chunk_count_ ||
      manifest.last_key != last_key_) {
    return stop_peer(
        fmt::format("the prefill machine closed with {} tokens in {} chunks up to "
                    "{}; {} in {} up to {} were asked for",
                    manifest.token_count, manifest.chunk_count, manifest.last_key.short_hex(),
                    ticket_.token_count, chunk_count_, last_key_.short_hex()));
  }
  if (!receiver_.missing().empty()) {
    return stop_peer("the prefill machine closed before every chunk was here");
  }
  state_ = State::draining;  // all staged or held: only imports are left
  reason_ = "a stored chunk was lost before it was imported";
}

void DecodeRun::on_peer_failed(const std::string& why) {
  stop_peer("the prefill machine failed: " + why);
  tell_peer_ = false;
}

void DecodeRun::on_held_lost(std::uint32_t index, const kv::ChunkKey& key) {
  if (outcome_) return;
  CHECK(is_importing_);
  (void)index;
  is_importing_ = false;
  receiver_.on_lost(key);
}

void DecodeRun::on_imported(std::uint32_t index, Instant now) {
  if (outcome_) return;
  CHECK(is_importing_);
  is_importing_ = false;
  receiver_.on_imported(index);
  if (state_ == State::running) deadline_.on_progress(next_piece(), now);
}

void DecodeRun::on_import_refused(std::uint32_t index, Error error) {
  if (outcome_) return;
  CHECK(is_importing_);
  is_importing_ = false;
  stop_peer({});
  if (state_ != State::cancelling) {
    reason_ = "the decoding worker refused a chunk: " + error.message;
    state_ = State::over;
  }
  receiver_.on_import_failed(index, std::move(error));
}

void DecodeRun::on_worker_lost(Error error) {
  if (outcome_ || state_ == State::over) return;
  is_importing_ = false;
  stop_peer({});
  if (state_ == State::cancelling) return;
  reason_ = "the decoding worker was lost: " + error.message;
  over_kind_ = Kind::worker_lost;
  state_ = State::over;
}

void DecodeRun::cancel() {
  if (outcome_ || state_ == State::over || state_ == State::cancelling) return;
  stop_peer("the client has left");
  state_ = State::cancelling;
  reason_ = "the client has left";
}

DecodeRunAction DecodeRun::finish(Kind kind) {
  const std::uint32_t committed = receiver_.committed_tokens();
  if (kind != Kind::complete) receiver_.cancel();
  outcome_ = DecodeRunOver{kind, committed, kind == Kind::complete ? "" : reason_, busy_for_,
                           lies_ >= parameters_.refusals_max};
  state_ = State::over;
  return *outcome_;
}

}  // namespace hearth::cluster
