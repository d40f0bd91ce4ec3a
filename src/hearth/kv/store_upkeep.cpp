// verify() and gc().
#include <fmt/format.h>

#include <utility>

#include "hearth/kv/store_implementation.h"

namespace hearth::kv {

VerifyReport ChunkStore::verify(const StopToken& stop) {
  Implementation& in = *implementation_;
  struct Wanted {
    ChunkKey key;
    std::uint64_t generation;
  };
  std::vector<Wanted> wanted;
  {
    const std::lock_guard hold(in.mutex);
    for (const TableEntry* entry : in.table.in_chain_order()) {
      if (entry->is_on_disk) wanted.push_back({entry->key, entry->generation});
    }
  }
  VerifyReport report;
  for (const Wanted& chunk : wanted) {
    if (stop.stop_requested()) {
      report.is_complete = false;
      break;
    }
    const auto path = in.disk.path_of(chunk.key);
    const auto read = in.disk.read(chunk.key);
    if (!read && read.error().code == Code::not_found) continue;  // evicted meanwhile
    ++report.files;
    if (read) {
      report.bytes += chunk_bytes(read->header);
      continue;
    }
    report.damaged.push_back({path, read.error().message});
    if (read.error().code != Code::corrupt) continue;  // unreadable just now, not damaged
    in.drop_damaged(chunk.key, chunk.generation, /*is_file_there=*/true);
    std::error_code ignored;
    if (!std::filesystem::exists(path, ignored)) ++report.removed;
  }
  return report;
}

void ChunkStore::Implementation::remove_unreachable(GcReport& report) {
  struct Doomed {
    ChunkKey key;
    std::uint64_t bytes;
    bool is_on_disk;
  };
  std::vector<Doomed> doomed;
  {
    const std::lock_guard hold(mutex);
    for (const ChunkKey& key : table.unreachable()) {
      const TableEntry& entry = *table.find(key);
      // What is on its way may get its beginning next.
      if (table.pins().is_pinned(key) || entry.is_write_pending) continue;
      doomed.push_back({key, entry.chunk_bytes, entry.is_on_disk});
    }
  }
  for (const Doomed& chunk : doomed) {
    if (chunk.is_on_disk && !remove_counted(disk.path_of(chunk.key))) continue;
    const std::lock_guard hold(mutex);
    table.drop_memory(chunk.key);
    table.drop_disk(chunk.key);
    ++report.unreachable_removed;
    report.bytes_freed += chunk.bytes;
  }
}

Result<GcReport> ChunkStore::gc() {
  Implementation& in = *implementation_;
  if (!in.writes_disk()) {
    return fail(Code::permission, "gc needs a chunk store with a directory, open for writing");
  }
  GcReport report;
  const std::lock_guard hold_directory(in.directory_mutex);
  const ScanReport scan = TRY(in.disk.scan());
  // Whatever carries the name of a temporary file now is left over: nobody else writes here.
  for (const auto& path : scan.temporaries) report.temporaries_removed += in.remove_counted(path);
  for (const DamagedFile& damaged : scan.damaged) {
    report.damaged_removed += in.remove_counted(damaged.path);
  }
  std::uint64_t evictions_before = 0;
  {
    const std::lock_guard hold(in.mutex);
    for (const ScannedChunk& scanned : scan.chunks) {  // files that an earlier removal left
      if (in.table.find(scanned.header.key) != nullptr) continue;
      in.table.add_disk(scanned.header, in.clock.now(), scanned.file_bytes);
    }
    evictions_before = in.counters.disk_evictions;
  }
  in.remove_unreachable(report);
  const std::uint64_t bytes_before = [&] {
    const std::lock_guard hold(in.mutex);
    return in.table.disk_bytes();
  }();
  (void)TRY(in.make_room_on_disk(0, {}));
  const std::lock_guard hold(in.mutex);
  report.evicted = in.counters.disk_evictions - evictions_before;
  report.bytes_freed += bytes_before - in.table.disk_bytes();
  for (const ChunkKey& key : in.table.pins().keys()) {
    if (in.table.find(key) == nullptr) ++report.pins_without_chunk;
  }
  return report;
}

}  // namespace hearth::kv
