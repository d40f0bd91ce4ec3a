#include "hearth/kv/store.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "hearth/base/check.h"
#include "hearth/kv/store_implementation.h"

namespace hearth::kv {
namespace {

std::unexpected<Error> absent(const ChunkKey& key) {
  return fail(Code::not_found, fmt::format("chunk {} is not in the store", key.short_hex()));
}

Result<> check_put(const Chunk& chunk, const StoreOptions& options) {
  if (options.is_read_only) {
    return fail(Code::permission, fmt::format("the chunk store {} is open read-only",
                                              options.directory.string()));
  }
  if (const auto fault = find_header_fault(chunk.header, {})) {
    Error error = fault_error(*fault, chunk.header, {});
    return fail(Code::invalid_argument, "not stored: " + error.message);
  }
  if (chunk.payload.size() != chunk.header.payload_bytes) {
    return fail(Code::invalid_argument,
                fmt::format("not stored: chunk {} has {} payload bytes, its header says {}",
                            chunk.header.key.short_hex(), chunk.payload.size(),
                            chunk.header.payload_bytes));
  }
  return {};
}

}  // namespace

ChunkStore::ChunkStore(std::unique_ptr<Implementation> implementation)
    : implementation_(std::move(implementation)) {}

ChunkStore::~ChunkStore() {
  Implementation& in = *implementation_;
  {
    const std::lock_guard hold(in.mutex);
    in.is_closing = true;
  }
  in.write_queue.close();
  in.writer.join();
  if (in.writes_disk()) in.save_order_of_use();
}

bool ChunkStore::Implementation::make_room_in_memory(std::uint64_t bytes,
                                                     const Newcomer& newcomer) {
  if (bytes > options.memory_bytes_max) return false;
  while (table.memory_bytes() + bytes > options.memory_bytes_max) {
    const auto victim = table.memory_victim(newcomer);
    if (!victim) return false;
    table.drop_memory(*victim);
    ++counters.memory_evictions;
  }
  return true;
}

void ChunkStore::Implementation::enqueue_write(const ChunkKey& key) {
  if (!writes_disk()) return;
  if (!write_queue.try_push(ChunkKey(key))) {
    ++counters.disk_writes_dropped;
    return;
  }
  table.set_write_pending(key, true);
  ++writes_queued;
}

// The first writer won; a second one may still bring what the memory tier lacks.
PutOutcome ChunkStore::Implementation::put_present(const TableEntry& entry, SharedChunk chunk) {
  ++counters.puts_present;
  const ChunkKey key = entry.key;
  const bool is_same = entry.payload_digest == chunk->header.payload_digest &&
                       entry.chunk_bytes == chunk_bytes(chunk->header);
  if (!is_same) ++counters.puts_different;
  table.touch(key, clock.now());
  if (!entry.memory) {
    if (is_same && make_room_in_memory(entry.chunk_bytes, cached_copy())) {
      table.add_memory(std::move(chunk), clock.now());
    }
  } else if (!entry.is_on_disk && !entry.is_write_pending) {
    enqueue_write(key);  // an earlier write failed
  }
  return PutOutcome::already_present;
}

// Instead of the partial one, whose file the new one's takes the name of: where the new one cannot be queued for it,
// the old one stays, or a file would be left of which nobody knows.
PutOutcome ChunkStore::Implementation::put_whole(const TableEntry& entry, SharedChunk chunk) {
  const ChunkKey key = entry.key;
  if (entry.is_on_disk && write_queue.size() >= write_queue.capacity()) {
    ++counters.disk_writes_dropped;
    return PutOutcome::already_present;
  }
  if (!make_room_in_memory(chunk_bytes(chunk->header), newcomer(chunk->header))) {
    return PutOutcome::already_present;
  }
  table.drop_memory(key);
  table.drop_disk(key);
  table.add_memory(std::move(chunk), clock.now());
  enqueue_write(key);
  return PutOutcome::stored;
}

Result<PutOutcome> ChunkStore::put(SharedChunk chunk) {
  Implementation& in = *implementation_;
  CHECK(chunk != nullptr);
  TRY(check_put(*chunk, in.options));
  const ChunkHeader& header = chunk->header;
  const std::uint64_t bytes = chunk_bytes(header);
  const std::lock_guard hold(in.mutex);
  ++in.counters.puts;
  if (const TableEntry* entry = in.table.find(header.key)) {
    if (entry->is_partial && !header.is_partial) return in.put_whole(*entry, std::move(chunk));
    return in.put_present(*entry, std::move(chunk));
  }
  if (!in.make_room_in_memory(bytes, newcomer(header))) {
    ++in.counters.puts_refused;
    return fail(Code::resource_exhausted,
                fmt::format("no room for chunk {} of {} bytes: the memory tier holds {} of at most "
                            "{} bytes, the rest is pinned, before it in its chain, or waits for "
                            "the disk ({} writes); flush and try again, or raise the budget",
                            header.key.short_hex(), bytes, in.table.memory_bytes(),
                            in.options.memory_bytes_max, in.table.pending_writes()));
  }
  const ChunkKey key = header.key;
  in.table.add_memory(std::move(chunk), in.clock.now());
  in.enqueue_write(key);
  return PutOutcome::stored;
}

Result<SharedChunk> ChunkStore::get(const ChunkKey& key) {
  Implementation& in = *implementation_;
  std::uint64_t generation = 0;
  {
    const std::lock_guard hold(in.mutex);
    const TableEntry* entry = in.table.find(key);
    if (entry == nullptr && !(in.options.is_read_only && in.has_directory())) {
      ++in.counters.misses;
      return absent(key);
    }
    if (entry != nullptr) {
      in.table.touch(key, in.clock.now());
      if (entry->memory) {
        ++in.counters.memory_hits;
        return entry->memory;
      }
      generation = entry->generation;
    }
  }
  return in.read_from_disk(key, generation);
}

Result<ImportSource> ChunkStore::open_for_import(const ChunkKey& key) {
  Implementation& in = *implementation_;
  if (in.disk.is_sealed()) {
    auto chunk = TRY(get(key));
    return ImportSource(std::move(chunk));
  }
  const std::lock_guard hold(in.mutex);
  const TableEntry* entry = in.table.find(key);
  if (entry == nullptr) {
    ++in.counters.misses;
    return absent(key);
  }
  in.table.touch(key, in.clock.now());
  if (entry->memory) {
    ++in.counters.memory_hits;
    return ImportSource(entry->memory);
  }
  ++in.counters.disk_hits;
  return ImportSource(ImportFile{in.disk.path_of(key)});
}

bool ChunkStore::contains_whole(const ChunkKey& key) const {
  const std::lock_guard hold(implementation_->mutex);
  const TableEntry* entry = implementation_->table.find(key);
  return entry != nullptr && !entry->is_partial;
}

std::optional<TokenRange> ChunkStore::range_of(const ChunkKey& key) const {
  const std::lock_guard hold(implementation_->mutex);
  const TableEntry* entry = implementation_->table.find(key);
  return entry != nullptr ? std::optional(entry->range) : std::nullopt;
}

bool ChunkStore::contains(const ChunkKey& key) const {
  const std::lock_guard hold(implementation_->mutex);
  return implementation_->table.find(key) != nullptr;
}

std::vector<ChunkKey> ChunkStore::missing(std::span<const ChunkKey> keys) const {
  std::vector<ChunkKey> out;
  const std::lock_guard hold(implementation_->mutex);
  for (const ChunkKey& key : keys) {
    if (implementation_->table.find(key) == nullptr) out.push_back(key);
  }
  return out;
}

StoredPrefix ChunkStore::longest_prefix(const LayoutDigest& layout,
                                        std::span<const Token> tokens) {
  Implementation& in = *implementation_;
  const std::lock_guard hold(in.mutex);
  StoredPrefix prefix = in.table.longest_prefix(layout, tokens);
  const Instant now = in.clock.now();
  // From the end, so that the beginning is the last to go.
  for (auto it = prefix.chunks.rbegin(); it != prefix.chunks.rend(); ++it) {
    in.table.touch(it->key, now);
  }
  return prefix;
}

// With the lock. Chunks that are here and that somebody else than `owner` has pinned.
std::uint64_t ChunkStore::Implementation::bytes_pinned_by_others(std::string_view owner) const {
  std::uint64_t out = 0;
  for (const ChunkKey& key : table.pins().keys()) {
    const TableEntry* entry = table.find(key);
    const auto owners = table.pins().owners(key);
    if (entry != nullptr && std::ranges::any_of(owners, [&](const auto& one) { return one != owner; })) out += entry->chunk_bytes;
  }
  return out;
}

Result<> ChunkStore::pin(std::span<const ChunkKey> keys, std::string_view owner) {
  const std::lock_guard hold(implementation_->directory_mutex);
  PinSet pins;
  std::uint64_t others_bytes = 0;
  {
    const std::lock_guard hold_table(implementation_->mutex);
    pins = implementation_->table.pins();
    others_bytes = implementation_->bytes_pinned_by_others(owner);
  }
  const std::uint64_t room = std::max(implementation_->options.disk_bytes_max, implementation_->options.memory_bytes_max);
  const bool are_pinned = std::ranges::all_of(keys, [&](const ChunkKey& key) { return pins.is_pinned(key); });
  if (!are_pinned && others_bytes > room / 2) {
    return fail(Code::resource_exhausted,
                fmt::format("{} bytes of the chunk store are pinned already, and it holds {}; more than half would leave "
                            "no room for what is not: unpin something, or give the store more", others_bytes, room));
  }
  TRY(pins.add(keys, owner));
  return implementation_->change_pins(std::move(pins));
}

Result<> ChunkStore::unpin(std::span<const ChunkKey> keys, std::string_view owner) {
  const std::lock_guard hold(implementation_->directory_mutex);
  PinSet pins = [&] {
    const std::lock_guard hold_table(implementation_->mutex);
    return implementation_->table.pins();
  }();
  pins.remove(keys, owner);
  return implementation_->change_pins(std::move(pins));
}

Result<> ChunkStore::unpin_all(std::string_view owner) {
  const std::vector<ChunkKey> keys = pinned(owner);
  return unpin(keys, owner);
}

std::vector<ChunkKey> ChunkStore::pinned(std::string_view owner) const {
  const std::lock_guard hold(implementation_->mutex);
  return implementation_->table.pins().keys_of(owner);
}

StoreStatistics ChunkStore::statistics() const {
  const std::lock_guard hold(implementation_->mutex);
  const StoreTable& table = implementation_->table;
  StoreStatistics out = implementation_->counters;
  out.memory_chunks = table.memory_chunks();
  out.memory_bytes = table.memory_bytes();
  out.disk_chunks = table.disk_chunks();
  out.disk_bytes = table.disk_bytes();
  out.pending_writes = table.pending_writes();
  for (const ChunkKey& key : table.pins().keys()) {
    if (const TableEntry* entry = table.find(key)) {
      ++out.pinned_chunks;
      out.pinned_bytes += entry->chunk_bytes;
    }
  }
  return out;
}

std::vector<ChunkInfo> ChunkStore::list() const {
  std::vector<ChunkInfo> out;
  const std::lock_guard hold(implementation_->mutex);
  const StoreTable& table = implementation_->table;
  const Instant now = implementation_->clock.now();
  for (const TableEntry* entry : table.in_chain_order()) {
    out.push_back({entry->key, entry->parent, entry->layout, entry->range, entry->is_partial,
                   entry->chunk_bytes,
                   entry->tier(), entry->is_write_pending, seconds(now - entry->used_at),
                   table.pins().owners(entry->key)});
  }
  return out;
}

}  // namespace hearth::kv
