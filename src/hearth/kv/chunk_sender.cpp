#include "hearth/kv/chunk_sender.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "hearth/base/check.h"

namespace hearth::kv {
namespace {

bool is_final(Code code) {
  return code == Code::invalid_argument || code == Code::unsupported || code == Code::permission;
}

}  // namespace

ChunkSender::ChunkSender(std::vector<ChunkKey> keys, const SyncParameters& parameters,
                         std::uint64_t seed, Instant now)
    : keys_(std::move(keys)),
      parameters_(parameters),
      random_(seed),
      items_(keys_.size()),
      not_before_(now),
      producer_deadline_(now + producer_deadline(parameters)) {
  CHECK(keys_.size() <= transfer_chunks_max);
  for (std::uint32_t i = 0; i < keys_.size(); ++i) index_.emplace(keys_[i], i);
}

SendAction ChunkSender::final_action() const {
  if (outcome_->error) return GiveUp{*outcome_->error};
  return TransferDone{};
}

SendAction ChunkSender::next(Instant now) {
  if (!outcome_ && in_flight_ && now >= in_flight_->deadline) {
    failed({Code::timed_out, in_flight_->index
                                 ? fmt::format("no answer to chunk {} in time", *in_flight_->index)
                                 : "no answer to the question which chunks are missing"},
           /*must_ask=*/true, now);
  }
  if (outcome_) return final_action();
  if (in_flight_) return WaitUntil{in_flight_->deadline};
  if (now < not_before_) return WaitUntil{not_before_};
  return must_ask_ ? start_query(now) : start_put(now);
}

SendAction ChunkSender::start_query(Instant now) {
  if (keys_.empty()) {
    end({});
    return final_action();
  }
  const AttemptId attempt{++last_attempt_};
  in_flight_ = InFlight{attempt, {}, now + query_deadline(parameters_)};
  ++statistics_.queries;
  return QueryMissing{attempt, keys_, in_flight_->deadline};
}

SendAction ChunkSender::start_put(Instant now) {
  while (first_wanted_ < items_.size() && items_[first_wanted_].need == Need::there) {
    ++first_wanted_;
  }
  if (first_wanted_ == items_.size()) {
    end({});
    return final_action();
  }
  Item& item = items_[first_wanted_];
  if (!item.is_available) return wait_for_producer(now);
  const AttemptId attempt{++last_attempt_};
  in_flight_ =
      InFlight{attempt, first_wanted_, now + put_deadline(parameters_, item.chunk_bytes)};
  ++statistics_.puts;
  if (item.was_put) ++statistics_.resent;
  item.was_put = true;
  return PutChunk{attempt, first_wanted_, keys_[first_wanted_], in_flight_->deadline};
}

SendAction ChunkSender::wait_for_producer(Instant now) {
  if (now < producer_deadline_) return WaitUntil{producer_deadline_};
  end(Error{Code::timed_out,
            fmt::format("chunk {} of {} was not made in time, and its producer has shown no "
                        "progress for {:.1f} s",
                        first_wanted_, items_.size(), seconds(producer_deadline(parameters_)))});
  return final_action();
}

void ChunkSender::on_available(std::uint32_t index, std::uint64_t chunk_bytes, Instant now) {
  CHECK(index < items_.size());
  items_[index].is_available = true;
  items_[index].chunk_bytes = chunk_bytes;
  on_producer_progress(now);
}

void ChunkSender::on_producer_progress(Instant now) {
  producer_deadline_ = now + producer_deadline(parameters_);
}

void ChunkSender::on_producer_failed(Error error) {
  end(with_context(std::move(error), "the chunks could not be made"));
}

bool ChunkSender::is_current(AttemptId attempt) {
  if (!outcome_ && in_flight_ && in_flight_->attempt == attempt) return true;
  ++statistics_.stale_reports;
  return false;
}

void ChunkSender::on_missing(AttemptId attempt, std::span<const ChunkKey> missing, Instant now) {
  if (!is_current(attempt)) return;
  CHECK(!in_flight_->index);
  in_flight_.reset();
  not_before_ = now;
  for (Item& item : items_) item.need = Need::there;
  for (const ChunkKey& key : missing) {
    const auto found = index_.find(key);
    if (found == index_.end()) {
      end(Error{Code::corrupt, fmt::format("the peer says it lacks chunk {}, which nobody offered",
                                           key.short_hex())});
      return;
    }
    items_[found->second].need = Need::wanted;
  }
  must_ask_ = false;
  first_wanted_ = 0;
  statistics_.already_there = static_cast<std::uint32_t>(
      std::count_if(items_.begin(), items_.end(), [](const Item& item) {
        return item.need == Need::there && !item.was_put;
      }));
}

void ChunkSender::on_query_failed(AttemptId attempt, Error error, Instant now) {
  if (!is_current(attempt)) return;
  CHECK(!in_flight_->index);
  if (is_final(error.code)) return end(std::move(error));
  failed(std::move(error), /*must_ask=*/true, now);
}

void ChunkSender::on_stored(AttemptId attempt, Instant now) {
  if (!is_current(attempt)) return;
  CHECK(in_flight_->index.has_value());
  Item& item = items_[*in_flight_->index];
  item.need = Need::there;
  in_flight_.reset();
  ++statistics_.acknowledged;
  statistics_.bytes_acknowledged += item.chunk_bytes;
  failures_without_progress_ = 0;
  busy_deadline_.reset();
  not_before_ = now;
}

void ChunkSender::on_put_failed(AttemptId attempt, PutFailure failure, Error error, Instant now,
                                std::optional<Duration> retry_after) {
  if (!is_current(attempt)) return;
  CHECK(in_flight_->index.has_value());
  switch (failure) {
    case PutFailure::link:
    case PutFailure::gap: return failed(std::move(error), /*must_ask=*/true, now);
    case PutFailure::damaged: return failed(std::move(error), /*must_ask=*/false, now);
    case PutFailure::busy: return wait_for_peer(std::move(error), now, retry_after);
    case PutFailure::refused: return end(std::move(error));
    case PutFailure::unavailable:
      items_[*in_flight_->index].is_available = false;
      in_flight_.reset();
      on_producer_progress(now);
      if (++statistics_.failures > parameters_.failures_max) end(std::move(error));
      return;
  }
}

void ChunkSender::on_link_lost(Instant now) {
  if (outcome_) return;
  must_ask_ = true;
  if (in_flight_) failed({Code::unavailable, "the link to the peer was lost"}, true, now);
}

void ChunkSender::cancel() { end(Error{Code::cancelled, "the chunk transfer was cancelled"}); }

void ChunkSender::failed(Error error, bool must_ask, Instant now) {
  in_flight_.reset();
  must_ask_ = must_ask_ || must_ask;
  ++statistics_.failures;
  ++failures_without_progress_;
  if (failures_without_progress_ >= parameters_.attempts_max ||
      statistics_.failures > parameters_.failures_max) {
    return end(with_context(std::move(error),
                            fmt::format("chunk transfer given up after {} attempts without "
                                        "progress, {} failures in all; the last",
                                        failures_without_progress_, statistics_.failures)));
  }
  not_before_ = now + backoff(parameters_, failures_without_progress_, random_.uniform());
}

// The peer lives and says so: that costs patience, not attempts. What it may have to import before
// it has room is at most what it has acknowledged.
void ChunkSender::wait_for_peer(Error error, Instant now, std::optional<Duration> retry_after) {
  in_flight_.reset();
  ++statistics_.busy;
  if (!busy_deadline_) {
    busy_deadline_ = now + import_deadline(parameters_, statistics_.acknowledged);
  }
  if (now >= *busy_deadline_) {
    return end(with_context(std::move(error), "the peer's staging did not empty in time"));
  }
  const Duration own = backoff(parameters_, 1, random_.uniform());
  const Duration wanted = std::min(retry_after.value_or(own), parameters_.backoff_max);
  not_before_ = now + std::max(own, wanted);
}

void ChunkSender::end(std::optional<Error> error) {
  if (outcome_) return;
  in_flight_.reset();
  outcome_ = Outcome{std::move(error)};
}

}  // namespace hearth::kv
