#include "hearth/node/agent/chunk_push.h"

#include <utility>

#include "hearth/kv/sync.h"

namespace hearth::node {
namespace {

Instant now() { return std::chrono::steady_clock::now(); }

// What a call that failed says about the chunk that it carried.
kv::PutFailure failure_of(const Error& error) {
  switch (error.code) {
    case Code::resource_exhausted: return kv::PutFailure::busy;
    case Code::corrupt: return kv::PutFailure::damaged;
    case Code::not_found:   // the hand-off is over there
    case Code::permission:
    case Code::invalid_argument:
    case Code::unsupported: return kv::PutFailure::refused;
    default: return kv::PutFailure::link;
  }
}

// How long a prefill may take for one chunk before it is given up: it reports its own death.
constexpr Duration chunk_compute_max = std::chrono::minutes(10);

kv::SyncParameters parameters() {
  kv::SyncParameters out;
  out.chunk_compute = chunk_compute_max;
  return out;
}

}  // namespace

ChunkPush::ChunkPush(const PeerClient& peer, std::string hand_off, kv::ChunkStore& store,
                     std::vector<kv::ChunkKey> keys, std::uint64_t seed)
    : peer_(peer), hand_off_(std::move(hand_off)), store_(store),
      sender_(std::move(keys), parameters(), seed, now()) {}

template <class Report>
void ChunkPush::report(Report report) {
  const std::lock_guard hold(mutex_);
  report(sender_);
  changed_.notify_all();
}

void ChunkPush::available(std::uint32_t index, std::uint64_t chunk_bytes) {
  report([&](kv::ChunkSender& sender) { sender.on_available(index, chunk_bytes, now()); });
}

void ChunkPush::producer_works() {
  report([](kv::ChunkSender& sender) { sender.on_producer_progress(now()); });
}

void ChunkPush::producer_failed(Error error) {
  report([&](kv::ChunkSender& sender) { sender.on_producer_failed(std::move(error)); });
}

Result<kv::SenderStatistics> ChunkPush::run(const StopToken& stop) {
  const StopCallback wake(stop, [this] { report([](kv::ChunkSender& sender) { sender.cancel(); }); });
  std::unique_lock hold(mutex_);
  while (true) {
    const kv::SendAction action = sender_.next(now());
    if (const auto* wait = std::get_if<kv::WaitUntil>(&action)) {
      changed_.wait_until(hold, wait->when);
    } else if (const auto* over = std::get_if<kv::GiveUp>(&action)) {
      return std::unexpected(over->error);
    } else if (std::holds_alternative<kv::TransferDone>(action)) {
      return sender_.statistics();
    } else {
      hold.unlock();
      if (const auto* asked = std::get_if<kv::QueryMissing>(&action)) query(*asked, stop);
      if (const auto* chunk = std::get_if<kv::PutChunk>(&action)) put(*chunk, stop);
      hold.lock();
    }
  }
}

void ChunkPush::query(const kv::QueryMissing& action, const StopToken& stop) {
  const auto missing = peer_.missing(hand_off_, action.keys, Deadline::at(action.deadline), stop);
  report([&](kv::ChunkSender& sender) {
    if (missing) {
      sender.on_missing(action.attempt, *missing, now());
    } else {
      // An unknown hand-off is over: to the sender that is final.
      Error error = missing.error();
      if (error.code == Code::not_found) error.code = Code::permission;
      sender.on_query_failed(action.attempt, std::move(error), now());
    }
  });
}

void ChunkPush::put(const kv::PutChunk& action, const StopToken& stop) {
  const auto failed = [&](kv::PutFailure failure, Error error) {
    report([&](kv::ChunkSender& sender) {
      sender.on_put_failed(action.attempt, failure, std::move(error), now());
    });
  };
  const auto chunk = store_.get(action.key);
  if (!chunk) return producer_failed(with_context(chunk.error(), "a chunk left the store unsent"));
  const auto refusal = peer_.put(hand_off_, **chunk, stop);
  if (!refusal) return failed(failure_of(refusal.error()), refusal.error());
  const auto failure = *refusal ? kv::put_failure_of(**refusal) : std::nullopt;
  if (!failure) {
    return report([&](kv::ChunkSender& sender) { sender.on_stored(action.attempt, now()); });
  }
  failed(*failure, {Code::unavailable, "the peer refused a chunk: " +
                                           std::string(kv::refusal_name(**refusal))});
}

}  // namespace hearth::node
