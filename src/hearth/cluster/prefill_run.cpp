#include "hearth/cluster/prefill_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "hearth/base/check.h"

namespace hearth::cluster {
namespace {

// The last one would come when the lease is over; of the three before it two may be lost.
constexpr int heartbeats = 4;

}  // namespace

PrefillRun::PrefillRun(Ticket ticket, std::vector<kv::ChunkKey> keys,
                       const kv::SyncParameters& parameters, std::uint64_t seed, Instant now)
    : ticket_(std::move(ticket)),
      manifest_{ticket_.token_count, static_cast<std::uint32_t>(keys.size()), keys.back()},
      parameters_(parameters),
      sender_(std::move(keys), parameters, seed, now),
      lease_until_(now + ticket_.lease),
      heartbeat_at_(now + ticket_.lease / heartbeats) {}

PrefillRunAction PrefillRun::next(Instant now) {
  if (outcome_) return *outcome_;
  if (now >= lease_until_) {
    end(Error{Code::timed_out, fmt::format("the decode side was not heard of for {:.0f} s",
                                           seconds(ticket_.lease))},
        /*tell_peer=*/true);  // it may hear us though we do not hear it
    return *outcome_;
  }
  if (is_closing_) {
    // The closing is a courtesy: the decode side knows what it has.
    if (now < closing_until_) return WaitForReport{std::min(closing_until_, lease_until_)};
    end({}, false);
    return *outcome_;
  }
  const kv::SendAction action = sender_.next(now);
  if (const auto* query = std::get_if<kv::QueryMissing>(&action)) return *query;
  if (const auto* put = std::get_if<kv::PutChunk>(&action)) return *put;
  if (const auto* wait = std::get_if<kv::WaitUntil>(&action)) {
    // A chunk says more than a message about it: no chunk waits for one.
    if (done_tokens_ > told_tokens_ || now >= heartbeat_at_) {
      told_tokens_ = done_tokens_;
      heartbeat_at_ = now + ticket_.lease / heartbeats;
      return SendProgress{done_tokens_};
    }
    return WaitForReport{std::min({wait->when, lease_until_, heartbeat_at_})};
  }
  if (const auto* failed = std::get_if<kv::GiveUp>(&action)) {
    end(failed->error, /*tell_peer=*/true);
    return *outcome_;
  }
  is_closing_ = true;
  closing_until_ = now + kv::query_deadline(parameters_);
  return SendClosing{manifest_};
}

void PrefillRun::renew(Instant now) {
  lease_until_ = now + ticket_.lease;
  heartbeat_at_ = now + ticket_.lease / heartbeats;
}

void PrefillRun::on_computed(std::uint32_t done_tokens, Instant now) {
  done_tokens_ = std::max(done_tokens_, std::min(done_tokens, ticket_.token_count));
  sender_.on_producer_progress(now);
}

void PrefillRun::on_available(std::uint32_t index, std::uint64_t chunk_bytes, Instant now) {
  if (!outcome_) sender_.on_available(index, chunk_bytes, now);
}

void PrefillRun::on_prefill_failed(Error error) { sender_.on_producer_failed(std::move(error)); }

void PrefillRun::on_missing(kv::AttemptId attempt, std::span<const kv::ChunkKey> missing,
                            Instant now) {
  renew(now);
  sender_.on_missing(attempt, missing, now);
}

void PrefillRun::on_query_failed(kv::AttemptId attempt, Error error, Instant now) {
  sender_.on_query_failed(attempt, std::move(error), now);
}

void PrefillRun::on_stored(kv::AttemptId attempt, Instant now) {
  renew(now);
  sender_.on_stored(attempt, now);
}

void PrefillRun::on_put_failed(kv::AttemptId attempt, kv::PutFailure failure, Error error,
                               Instant now, std::optional<Duration> retry_after) {
  // The peer spoke, if only to say no.
  if (failure != kv::PutFailure::link && failure != kv::PutFailure::unavailable) renew(now);
  sender_.on_put_failed(attempt, failure, std::move(error), now, retry_after);
}

void PrefillRun::on_acknowledged(Instant now) {
  renew(now);
  if (is_closing_) end({}, false);
}

void PrefillRun::on_peer_over() {
  end(Error{Code::cancelled, "the decode side needs no more"}, /*tell_peer=*/false);
}

void PrefillRun::cancel(Error why) { end(std::move(why), /*tell_peer=*/true); }

void PrefillRun::end(std::optional<Error> error, bool tell_peer) {
  if (outcome_) return;
  sender_.cancel();
  outcome_ = PrefillRunOver{std::move(error), tell_peer};
}

}  // namespace hearth::cluster
