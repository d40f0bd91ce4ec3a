#include "hearth/node/agent/delivery.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

namespace hearth::node {
namespace {

Instant now() { return std::chrono::steady_clock::now(); }

}  // namespace

Delivery::Delivery(kv::ChunkReceiver receiver, std::vector<kv::ChunkKey> held, kv::ChunkStore& store,
                   DeliveryOptions options)
    : store_(store), options_(std::move(options)), receiver_(std::move(receiver)),
      patience_(options_.patience), last_sign_(now()) {
  for (const kv::ChunkKey& key : held) receiver_.on_held(key);
}

Result<kv::SharedChunk> Delivery::take(Deadline deadline, const StopToken& stop) {
  const StopCallback wake(stop, [this] {
    const std::lock_guard hold(mutex_);
    changed_.notify_all();
  });
  std::unique_lock hold(mutex_);
  if (const auto taken = std::exchange(taken_, std::nullopt)) receiver_.on_imported(*taken);
  while (true) {
    if (stop.stop_requested()) return hearth::fail(Code::cancelled, "the hand-off was cancelled");
    if (auto result = take_now()) return *std::move(result);
    const Instant lost = last_sign_ + patience_;
    if (now() >= lost) {
      return hearth::fail(Code::timed_out,
                          fmt::format("{} showed no sign of work for {:.1f} s", options_.from,
                                      seconds(patience_)));
    }
    if (deadline.passed()) return hearth::fail(Code::timed_out, "no chunk within the deadline");
    changed_.wait_until(hold, std::min(lost, deadline.when()));
  }
}

// What is in use already is passed over; what else is held comes from the store.
std::optional<Result<kv::SharedChunk>> Delivery::take_now() {
  while (true) {
    const kv::ReceiveAction action = receiver_.next();
    if (const auto* staged = std::get_if<kv::ImportStaged>(&action)) {
      taken_ = staged->index;
      if (const auto began = began_.find(staged->chunk->header.key); began != began_.end()) {
        chunk_began_ = began->second;
        began_.erase(began);
      }
      return staged->chunk;
    }
    if (const auto* held = std::get_if<kv::ImportHeld>(&action)) {
      if (held->index < options_.held_chunks) {
        receiver_.on_imported(held->index);
        continue;
      }
      auto chunk = store_.get(held->key);
      if (chunk) {
        taken_ = held->index;
        chunk_began_ = now();
        return *std::move(chunk);
      }
      receiver_.on_lost(held->key);
      continue;
    }
    if (std::holds_alternative<kv::ImportComplete>(action)) return kv::SharedChunk();
    if (const auto* failed = std::get_if<kv::ImportFailed>(&action)) {
      return std::unexpected(failed->error);
    }
    if (failed_) return std::unexpected(*failed_);
    return std::nullopt;
  }
}

Instant Delivery::chunk_began() const {
  const std::lock_guard hold(mutex_);
  return chunk_began_;
}

void Delivery::alive() {
  const std::lock_guard hold(mutex_);
  last_sign_ = now();
}

void Delivery::set_patience(Duration patience) {
  const std::lock_guard hold(mutex_);
  patience_ = patience;
}

void Delivery::fail(Error error) {
  const std::lock_guard hold(mutex_);
  if (!failed_) failed_ = std::move(error);
  changed_.notify_all();
}

std::vector<kv::ChunkKey> Delivery::missing(std::span<const kv::ChunkKey> keys) {
  const std::lock_guard hold(mutex_);
  const auto lacking = receiver_.missing();
  const std::set<kv::ChunkKey> wanted(lacking.begin(), lacking.end());
  std::vector<kv::ChunkKey> out;
  for (const kv::ChunkKey& key : keys) {
    if (wanted.contains(key)) out.push_back(key);
  }
  return out;
}

std::optional<kv::Refusal> Delivery::put(kv::SharedChunk chunk, Instant began) {
  std::unique_lock hold(mutex_);
  const auto reservation = receiver_.admit(chunk->header);
  if (!reservation) {
    // A duplicate is a sign of work too: the peer asks, or sends again after a cut.
    if (reservation.error() == kv::Refusal::duplicate) last_sign_ = now();
    return reservation.error();
  }
  const auto accepted = receiver_.on_body(*reservation, chunk);
  if (!accepted) return accepted.error();
  last_sign_ = now();
  began_[chunk->header.key] = began;
  changed_.notify_all();
  hold.unlock();
  (void)store_.put(std::move(chunk));  // for later; what it refuses is still taken once
  return std::nullopt;
}

kv::ReceiverStatistics Delivery::statistics() const {
  const std::lock_guard hold(mutex_);
  return receiver_.statistics();
}

}  // namespace hearth::node
