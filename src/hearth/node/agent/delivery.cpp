#include "hearth/node/agent/delivery.h"

#include <algorithm>
#include <set>
#include <utility>

#include "hearth/base/check.h"

namespace hearth::node {
namespace {

Instant now() { return std::chrono::steady_clock::now(); }

}  // namespace

Delivery::Delivery(cluster::DecodeRun run, std::span<const kv::ChunkKey> held, kv::ChunkStore& store)
    : store_(store), held_chunks_(static_cast<std::uint32_t>(held.size())), run_(std::move(run)) {
  for (const kv::ChunkKey& key : held) run_.on_held(key);
}

cluster::DecodeRunAction Delivery::next(const StopToken& stop) {
  const StopCallback wake(stop, [this] {
    const std::lock_guard hold(mutex_);
    run_.cancel();
    changed_.notify_all();
  });
  std::unique_lock hold(mutex_);
  while (true) {
    if (auto action = next_action()) return *std::move(action);
    if (until_ == Instant::max()) {
      changed_.wait(hold);
    } else {
      changed_.wait_until(hold, until_);
    }
  }
}

void Delivery::imported() {
  const std::lock_guard hold(mutex_);
  if (const auto taken = std::exchange(taken_, std::nullopt)) run_.on_imported(*taken, now());
  changed_.notify_all();
}

void Delivery::import_refused(const Error& error) {
  const std::lock_guard hold(mutex_);
  if (const auto taken = std::exchange(taken_, std::nullopt)) run_.on_import_refused(*taken, error);
  changed_.notify_all();
}

void Delivery::worker_lost(const Error& error) {
  const std::lock_guard hold(mutex_);
  if (std::exchange(taken_, std::nullopt)) run_.on_worker_lost(error);
  changed_.notify_all();
}

std::optional<cluster::DecodeRunAction> Delivery::next_action() {
  while (true) {
    cluster::DecodeRunAction action = run_.next(now());
    if (!run_.is_importing()) taken_.reset();  // it has lost patience with the worker
    if (const auto* wait = std::get_if<cluster::WaitForReport>(&action)) {
      until_ = wait->until;
      return std::nullopt;
    }
    auto* chunk = std::get_if<cluster::ImportChunk>(&action);
    if (chunk == nullptr) return action;
    if (chunk->chunk == nullptr && !load_held(*chunk)) continue;
    taken_ = chunk->index;
    const auto began = began_.find(chunk->key);
    chunk_began_ = began == began_.end() ? now() : began->second;
    if (began != began_.end()) began_.erase(began);
    return action;
  }
}

bool Delivery::load_held(cluster::ImportChunk& chunk) {
  if (chunk.index < held_chunks_) {
    run_.on_imported(chunk.index, now());
    return false;
  }
  auto stored = store_.get(chunk.key);
  if (!stored) {
    run_.on_held_lost(chunk.index, chunk.key);
    return false;
  }
  chunk.chunk = *std::move(stored);
  return true;
}

Instant Delivery::chunk_began() const {
  const std::lock_guard hold(mutex_);
  return chunk_began_;
}

void Delivery::on_reply(const Result<PrefillReply>& reply) {
  const std::lock_guard hold(mutex_);
  if (!reply) {
    run_.on_ask_failed(reply.error());
  } else if (reply->is_busy) {
    run_.on_busy(reply->retry_after);
  } else {
    run_.on_accepted(reply->first_piece, now());
  }
  changed_.notify_all();
}

std::vector<kv::ChunkKey> Delivery::missing(std::span<const kv::ChunkKey> keys) {
  const std::lock_guard hold(mutex_);
  const auto lacking = run_.missing(now());
  const std::set<kv::ChunkKey> wanted(lacking.begin(), lacking.end());
  std::vector<kv::ChunkKey> out;
  std::ranges::copy_if(keys, std::back_inserter(out),
                       [&](const kv::ChunkKey& key) { return wanted.contains(key); });
  changed_.notify_all();
  return out;
}

std::expected<std::shared_ptr<Delivery::Place>, kv::Refusal> Delivery::admit(
    const kv::ChunkKey& key, std::uint64_t chunk_bytes) {
  const std::lock_guard hold(mutex_);
  const auto reservation = run_.admit(key, chunk_bytes, now());
  changed_.notify_all();
  if (!reservation) return std::unexpected(reservation.error());
  return std::make_shared<Place>(shared_from_this(), *reservation);
}

void Delivery::give_back(kv::Reservation reservation) {
  const std::lock_guard hold(mutex_);
  run_.on_body_cut(reservation);
}

std::optional<kv::Refusal> Delivery::put(Place& place, kv::SharedChunk chunk, Instant began) {
  {
    const std::lock_guard hold(mutex_);
    CHECK(place.delivery_.get() == this);
    const auto reservation = std::exchange(place.reservation_, std::nullopt);
    CHECK(reservation.has_value());
    const auto accepted = run_.on_body(*reservation, chunk, now());
    changed_.notify_all();
    if (!accepted) return accepted.error();
    began_[chunk->header.key] = began;
  }
  (void)store_.put(std::move(chunk));  // for later; what it refuses is still taken once
  return std::nullopt;
}

bool Delivery::progress(std::uint32_t done_tokens) {
  const std::lock_guard hold(mutex_);
  changed_.notify_all();
  return run_.on_progress(done_tokens, now());
}

void Delivery::close(const cluster::ClosingManifest& manifest) {
  const std::lock_guard hold(mutex_);
  run_.on_closing(manifest);
  changed_.notify_all();
}

void Delivery::peer_failed(const std::string& why) {
  const std::lock_guard hold(mutex_);
  run_.on_peer_failed(why);
  changed_.notify_all();
}

kv::ReceiverStatistics Delivery::statistics() const {
  const std::lock_guard hold(mutex_);
  return run_.statistics();
}

}  // namespace hearth::node
