#include "hearth/kv/chunk_receiver.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "hearth/base/check.h"

namespace hearth::kv {
namespace {

Refusal refusal_of(ChunkFault fault) {
  switch (fault) {
    case ChunkFault::foreign_layout: return Refusal::foreign_layout;
    case ChunkFault::forged_key: return Refusal::forged_key;
    case ChunkFault::wrong_key: return Refusal::not_announced;
    case ChunkFault::payload_size: return Refusal::payload_size;
    case ChunkFault::payload_digest: return Refusal::payload_digest;
  }
  return Refusal::payload_digest;
}

Result<> check_announcement(const AnnouncedChain& chain) {
  if (chain.keys.empty() || chain.keys.size() > transfer_chunks_max ||
      chain.keys.size() != chain.ranges.size()) {
    return fail(Code::invalid_argument,
                fmt::format("a chain of {} keys and {} token ranges was announced; 1 to {} of "
                            "both are expected",
                            chain.keys.size(), chain.ranges.size(), transfer_chunks_max));
  }
  std::uint32_t end = 0;
  for (const TokenRange& range : chain.ranges) {
    if (range.begin != end || range.is_empty()) {
      return fail(Code::invalid_argument,
                  fmt::format("the announced chain has a chunk of tokens {} to {} where one from "
                              "{} is expected",
                              range.begin, range.end, end));
    }
    end = range.end;
  }
  return {};
}

}  // namespace

std::string_view refusal_name(Refusal refusal) {
  switch (refusal) {
    case Refusal::duplicate: return "duplicate";
    case Refusal::gap: return "gap";
    case Refusal::busy: return "busy";
    case Refusal::foreign_layout: return "foreign_layout";
    case Refusal::forged_key: return "forged_key";
    case Refusal::not_announced: return "not_announced";
    case Refusal::wrong_range: return "wrong_range";
    case Refusal::too_large: return "too_large";
    case Refusal::payload_size: return "payload_size";
    case Refusal::payload_digest: return "payload_digest";
    case Refusal::partial_end: return "partial_end";
    case Refusal::over: return "over";
  }
  return "unknown";
}

ChunkReceiver::ChunkReceiver(AnnouncedChain chain, ReceiverLimits limits, StagingRoom::Share share)
    : chain_(std::move(chain)), limits_(std::move(limits)), share_(std::move(share)), items_(chain_.keys.size()) {}

Result<ChunkReceiver> ChunkReceiver::create(AnnouncedChain chain, ReceiverLimits limits) {
  TRY(check_announcement(chain));
  auto share = TRY(StagingRoom::open(limits.room, limits.chunk_bytes));
  ChunkReceiver receiver(std::move(chain), std::move(limits), std::move(share));
  for (std::uint32_t i = 0; i < receiver.chain_.keys.size(); ++i) {
    if (!receiver.index_.emplace(receiver.chain_.keys[i], i).second) {
      return fail(Code::invalid_argument, fmt::format("chunk {} is announced twice",
                                                      receiver.chain_.keys[i].short_hex()));
    }
  }
  return receiver;
}

std::optional<std::uint32_t> ChunkReceiver::index_of(const ChunkKey& key) const {
  const auto found = index_.find(key);
  if (found == index_.end()) return {};
  return found->second;
}

void ChunkReceiver::skip_present() {
  while (first_missing_ < items_.size() && items_[first_missing_].state != State::missing) {
    ++first_missing_;
  }
}

void ChunkReceiver::on_held(const ChunkKey& key) {
  const auto index = index_of(key);
  if (!index || items_[*index].state != State::missing) return;
  items_[*index].state = State::held;
  skip_present();
}

void ChunkReceiver::on_lost(const ChunkKey& key) {
  const auto index = index_of(key);
  if (!index || items_[*index].state != State::held) return;
  items_[*index].state = State::missing;
  first_missing_ = std::min(first_missing_, *index);
  if (is_importing_ && *index == import_index_) is_importing_ = false;
}

std::vector<ChunkKey> ChunkReceiver::missing() const {
  std::vector<ChunkKey> out;
  for (std::size_t i = 0; i < items_.size(); ++i) {
    if (items_[i].state == State::missing) out.push_back(chain_.keys[i]);
  }
  return out;
}

std::unexpected<Refusal> ChunkReceiver::refuse(Refusal refusal) {
  ++statistics_.refused[static_cast<std::size_t>(refusal)];
  return std::unexpected(refusal);
}

std::optional<Refusal> ChunkReceiver::find_refusal(std::optional<std::uint32_t> index,
                                                   std::uint64_t bytes) const {
  if (error_) return Refusal::over;
  if (!index) return Refusal::not_announced;
  if (items_[*index].state != State::missing) return Refusal::duplicate;
  if (bytes > limits_.staging_bytes_max) return Refusal::too_large;
  if (*index > first_missing_) return Refusal::gap;
  if (statistics_.staged_bytes + bytes > limits_.staging_bytes_max) return Refusal::busy;
  return {};
}

std::expected<Reservation, Refusal> ChunkReceiver::admit(const ChunkKey& key, std::uint64_t bytes) {
  const auto index = index_of(key);
  if (const auto refusal = find_refusal(index, bytes)) return refuse(*refusal);
  if (!share_.take(bytes)) return refuse(Refusal::busy);
  statistics_.staged_bytes += bytes;
  statistics_.staged_bytes_peak = std::max(statistics_.staged_bytes_peak, statistics_.staged_bytes);
  admitted_.emplace(++last_reservation_, Admitted{*index, bytes});
  return Reservation{last_reservation_};
}

std::expected<std::uint32_t, Refusal> ChunkReceiver::on_body(Reservation reservation,
                                                             SharedChunk chunk) {
  const auto found = admitted_.find(reservation.id);
  CHECK(found != admitted_.end());
  const Admitted admitted = found->second;
  admitted_.erase(found);
  if (const auto refusal = find_body_refusal(admitted, *chunk)) {
    release(admitted.bytes);
    return refuse(*refusal);
  }
  release(admitted.bytes - chunk_bytes(chunk->header));
  Item& item = items_[admitted.index];
  item.state = State::staged;
  item.is_partial = chunk->header.is_partial;
  item.chunk = std::move(chunk);
  ++statistics_.accepted;
  skip_present();
  return admitted.index;
}

std::optional<Refusal> ChunkReceiver::find_body_refusal(const Admitted& admitted,
                                                        const Chunk& chunk) const {
  if (error_) return Refusal::over;
  const ExpectedChunk expected{.layout = chain_.layout, .key = chain_.keys[admitted.index]};
  if (const auto fault = find_fault(chunk.header, chunk.payload.span(), expected)) {
    return refusal_of(*fault);
  }
  const ChunkHeader& header = chunk.header;
  if (header.range != chain_.ranges[admitted.index]) return Refusal::wrong_range;
  if (header.is_partial && admitted.index + 1 == items_.size()) return Refusal::partial_end;
  if (chunk_bytes(header) > admitted.bytes) return Refusal::payload_size;
  if (items_[admitted.index].state != State::missing) return Refusal::duplicate;
  if (admitted.index > first_missing_) return Refusal::gap;
  return {};
}

void ChunkReceiver::on_body_cut(Reservation reservation) {
  const auto found = admitted_.find(reservation.id);
  if (found == admitted_.end()) return;
  release(found->second.bytes);
  admitted_.erase(found);
}

void ChunkReceiver::release(std::uint64_t bytes) {
  CHECK(bytes <= statistics_.staged_bytes);
  statistics_.staged_bytes -= bytes;
  share_.give_back(bytes);
}

ReceiveAction ChunkReceiver::next() {
  if (error_) return ImportFailed{*error_};
  if (import_index_ == items_.size()) return ImportComplete{committed_tokens()};
  const Item& item = items_[import_index_];
  if (is_importing_ || item.state == State::missing) return AwaitChunks{};
  is_importing_ = true;
  if (item.state == State::staged) return ImportStaged{import_index_, item.chunk};
  return ImportHeld{import_index_, chain_.keys[import_index_]};
}

void ChunkReceiver::on_imported(std::uint32_t index) {
  if (error_) return;  // cancelled meanwhile: the importer cuts back what it did
  CHECK(is_importing_ && index == import_index_);
  Item& item = items_[index];
  if (item.chunk) release(chunk_bytes(item.chunk->header));
  item.chunk.reset();
  item.state = State::imported;
  is_importing_ = false;
  ++import_index_;
  ++statistics_.imported;
  if (import_index_ == items_.size()) share_.end_promise();
}

void ChunkReceiver::on_import_failed(std::uint32_t index, Error error) {
  end(with_context(std::move(error), fmt::format("importing chunk {} of {}", index,
                                                 items_.size())));
}

void ChunkReceiver::cancel() {
  if (import_index_ == items_.size()) return;
  end({Code::cancelled, "the chunk import was cancelled"});
}

void ChunkReceiver::end(Error error) {
  if (error_) return;
  error_ = std::move(error);
  for (Item& item : items_) {
    if (item.chunk) release(chunk_bytes(item.chunk->header));
    item.chunk.reset();
  }
  share_.end_promise();
}

std::uint32_t ChunkReceiver::committed_tokens() const {
  for (std::uint32_t i = import_index_; i > 0; --i) {
    if (!items_[i - 1].is_partial) return chain_.ranges[i - 1].end;
  }
  return 0;
}

}  // namespace hearth::kv
