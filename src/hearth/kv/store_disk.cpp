// The disk side of a ChunkStore: reading, writing behind, making room.
#include <fmt/format.h>

#include <utility>

#include "hearth/base/log.h"
#include "hearth/kv/store_implementation.h"

namespace hearth::kv {

Result<SharedChunk> ChunkStore::Implementation::read_from_disk(const ChunkKey& key,
                                                               std::uint64_t generation) {
  const Instant started = clock.now();
  auto read = disk.read(key);
  if (!read) return std::unexpected(read_failed(key, generation, std::move(read).error()));
  auto chunk = std::make_shared<const Chunk>(*std::move(read));
  const std::lock_guard hold(mutex);
  ++counters.disk_hits;
  counters.read_bytes += chunk_bytes(chunk->header);
  counters.read_s += seconds(clock.now() - started);
  const TableEntry* entry = table.find(key);
  if (entry == nullptr) return SharedChunk(chunk);  // evicted meanwhile, or a read-only discovery
  if (entry->memory) return entry->memory;          // somebody else read it too
  if (make_room_in_memory(entry->chunk_bytes, cached_copy())) {
    table.add_memory(chunk, clock.now());
  }
  return SharedChunk(chunk);
}

Error ChunkStore::Implementation::read_failed(const ChunkKey& key, std::uint64_t generation,
                                              Error error) {
  const bool is_gone = error.code == Code::not_found;
  if (error.code != Code::corrupt && !is_gone) return error;  // the file may be fine
  drop_damaged(key, generation, !is_gone);
  const std::lock_guard hold(mutex);
  ++counters.misses;
  error.code = Code::not_found;
  return with_context(std::move(error), "chunk " + key.short_hex() + " is not in the store");
}

void ChunkStore::Implementation::drop_damaged(const ChunkKey& key, std::uint64_t generation,
                                              bool is_file_there) {
  const std::lock_guard hold_directory(directory_mutex);
  {
    const std::lock_guard hold(mutex);
    const TableEntry* entry = table.find(key);
    // Written anew since it was read, or already dropped by another reader.
    if (entry == nullptr || !entry->is_on_disk || entry->generation != generation) return;
    if (is_file_there) ++counters.damaged_count;
    const bool is_in_memory = entry->memory != nullptr;
    table.drop_disk(key);
    if (is_in_memory) enqueue_write(key);  // the good copy goes to disk again
  }
  if (is_file_there && !options.is_read_only) remove_counted(disk.path_of(key));
}

bool ChunkStore::Implementation::remove_counted(const std::filesystem::path& path) {
  if (files.remove(path)) return true;
  const std::lock_guard hold(mutex);
  ++counters.remove_failures;
  return false;
}

void ChunkStore::Implementation::write_behind() {
  while (const auto key = write_queue.pop(Deadline::never())) write_one(*key);
}

void ChunkStore::Implementation::write_one(const ChunkKey& key) {
  const std::lock_guard hold_directory(directory_mutex);
  SharedChunk chunk;
  {
    const std::lock_guard hold(mutex);
    const TableEntry* entry = table.find(key);
    if (!is_closing && entry != nullptr && !entry->is_on_disk) chunk = entry->memory;
  }
  if (!chunk) return write_ended(key, nullptr, false, Duration::zero());
  const Instant started = clock.now();
  const Result<bool> written = write_chunk(chunk);
  // What lies under its name then is a partial one that it was to replace, of which nobody knows any more.
  if (!written.value_or(false)) remove_counted(disk.path_of(key));
  write_ended(key, chunk, written, clock.now() - started);
}

Result<bool> ChunkStore::Implementation::write_chunk(const SharedChunk& chunk) {
  const std::uint64_t bytes = chunk_bytes(chunk->header);
  if (!TRY(make_room_on_disk(bytes, newcomer(chunk->header)))) {
    const std::lock_guard hold(mutex);
    ++counters.disk_writes_dropped;
    return false;
  }
  TRY(disk.write(files, *chunk, Durability::survives_process));
  const std::lock_guard hold(mutex);
  // A pending chunk is never evicted, so the entry is still the one that was written, unless a whole one
  // has taken its place, which is written next, or perhaps is not.
  const TableEntry* entry = table.find(chunk->header.key);
  if (entry != nullptr && entry->payload_digest != chunk->header.payload_digest) {
    return false;
  }
  table.add_disk(chunk->header, clock.now(), bytes);
  ++counters.disk_writes;
  counters.written_bytes += bytes;
  return true;
}

void ChunkStore::Implementation::write_ended(const ChunkKey& key, const SharedChunk& chunk, const Result<bool>& written,
                                             Duration took) {
  bool is_news = false;
  {
    const std::lock_guard hold(mutex);
    const TableEntry* entry = table.find(key);
    // One that took its place meanwhile waits for a write of its own.
    const bool is_another = chunk && entry != nullptr && entry->payload_digest != chunk->header.payload_digest;
    if (!is_another) table.set_write_pending(key, false);
    ++writes_ended;
    counters.write_s += seconds(took);
    if (written.has_value()) {
      if (*written) counters.is_disk_full = false;
      if (*written) counters.disk_error.clear();
    } else {
      ++counters.disk_write_failures;
      if (written.error().code == Code::resource_exhausted) {
        ++counters.disk_full_count;
        counters.is_disk_full = true;
      }
      is_news = counters.disk_error.empty();
      if (is_news) counters.disk_error = written.error().message;
    }
  }
  write_has_ended.notify_all();
  if (is_news) {
    log_warning("chunk store: chunks stay in memory only: " + written.error().message);
  }
}

Result<bool> ChunkStore::Implementation::make_room_on_disk(std::uint64_t bytes,
                                                           const Newcomer& newcomer) {
  for (;;) {
    std::optional<ChunkKey> victim;
    {
      const std::lock_guard hold(mutex);
      if (table.disk_bytes() + bytes <= options.disk_bytes_max) return true;
      if (bytes <= options.disk_bytes_max) victim = table.disk_victim(newcomer);
    }
    if (!victim) return false;
    // The file first: what stays on disk stays counted.
    const auto removed = files.remove(disk.path_of(*victim));
    const std::lock_guard hold(mutex);
    if (!removed) {
      ++counters.remove_failures;
      return std::unexpected(removed.error());
    }
    table.drop_disk(*victim);
    ++counters.disk_evictions;
  }
}

Result<> ChunkStore::flush(Deadline deadline) {
  Implementation& in = *implementation_;
  std::unique_lock hold(in.mutex);
  const std::uint64_t target = in.writes_queued;
  const auto is_done = [&] { return in.writes_ended >= target; };
  if (deadline.is_never()) {
    in.write_has_ended.wait(hold, is_done);
  } else if (!in.write_has_ended.wait_until(hold, deadline.when(), is_done)) {
    return fail(Code::timed_out, fmt::format("{} chunks still wait for the disk {}",
                                             target - in.writes_ended,
                                             in.options.directory.string()));
  }
  return {};
}

}  // namespace hearth::kv
