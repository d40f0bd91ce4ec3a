// Opening and closing a ChunkStore.
#include <fmt/format.h>

#include <utility>

#include "hearth/kv/store_implementation.h"

namespace hearth::kv {
namespace fs = std::filesystem;
Result<std::unique_ptr<ChunkStore>> ChunkStore::open(StoreOptions options, FileSystem& files,
                                                     const Clock& clock) {
  if (options.memory_bytes_max == 0 || options.write_queue_chunks_max == 0) {
    return fail(Code::invalid_argument,
                "a chunk store needs a memory budget of at least one chunk and a write queue");
  }
  auto inside = std::make_unique<Implementation>(std::move(options), files, clock);
  if (inside->has_directory()) TRY(inside->open());
  return std::unique_ptr<ChunkStore>(new ChunkStore(std::move(inside)));
}

Result<> ChunkStore::Implementation::open() {
  if (!options.is_read_only) {
    TRY(files.create_directories(options.directory));
    // KV gives prompts away; only its owner may look.
    std::error_code ignored;
    fs::permissions(options.directory, fs::perms::owner_all, ignored);
    lock = TRY(StoreLock::acquire(options.directory));
  }
  const ScanReport report = TRY(disk.scan());
  TRY(load_pins());
  TRY(take_scan(report));
  load_uses();
  if (!options.is_read_only) {
    writer = Thread("kv-write", [this] { write_behind(); });
  }
  return {};
}

Result<> ChunkStore::Implementation::take_scan(const ScanReport& report) {
  const Instant now = clock.now();
  for (const ScannedChunk& scanned : report.chunks) {
    table.add_disk(scanned.header, now, scanned.file_bytes);
  }
  counters.foreign_files = report.foreign_files;
  counters.damaged_count = report.damaged.size();
  if (options.is_read_only) return {};
  for (const DamagedFile& damaged : report.damaged) remove_counted(damaged.path);
  for (const fs::path& temporary : report.temporaries) {
    if (remove_counted(temporary)) ++counters.temporaries_removed;
  }
  // The budget may have become smaller. What cannot be removed now is tried again by later writes.
  if (const auto room = make_room_on_disk(0, {}); !room) {
    counters.disk_error = room.error().message;
  }
  return {};
}

Result<> ChunkStore::Implementation::load_pins() {
  const auto text = disk.read_pins();
  if (!text && text.error().code == Code::not_found) return {};
  auto pins = text ? PinSet::parse(*text) : Result<PinSet>(std::unexpected(text.error()));
  if (!pins) {
    // To go on without pins would evict what somebody asked to keep.
    return std::unexpected(with_context(
        std::move(pins).error(),
        fmt::format("reading the pins of the chunk store, {} (remove the file to start without "
                    "pins)",
                    disk.pins_path().string())));
  }
  table.set_pins(*std::move(pins));
  return {};
}

Result<> ChunkStore::Implementation::change_pins(PinSet pins) {
  if (options.is_read_only) {
    return fail(Code::permission, fmt::format("the chunk store {} is open read-only",
                                              options.directory.string()));
  }
  if (has_directory()) {
    TRY(disk.write_pins(files, pins.to_text()));
  }
  const std::lock_guard hold(mutex);
  table.set_pins(std::move(pins));
  return {};
}

// The next start finds the order of use in the files' times. Best effort.
void ChunkStore::Implementation::save_order_of_use() {
  auto at = fs::file_time_type::clock::now();
  const auto entries = table.in_order_of_use();
  for (auto it = entries.rbegin(); it != entries.rend(); ++it) {
    at -= std::chrono::milliseconds(1);
    if (!(*it)->is_on_disk || !(*it)->is_used) continue;
    std::error_code ignored;
    fs::last_write_time(disk.path_of((*it)->key), at, ignored);
  }
}

}  // namespace hearth::kv
