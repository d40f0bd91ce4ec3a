#pragma once
// The inside of ChunkStore. Two locks, taken in this order: `directory_mutex` while the directory
// changes (slow: it is held over file writes), `mutex` for everything in memory (never held over
// a file operation).

#include <condition_variable>
#include <mutex>

#include "hearth/base/bounded_queue.h"
#include "hearth/base/thread.h"
#include "hearth/kv/disk_tier.h"
#include "hearth/kv/store.h"
#include "hearth/kv/store_table.h"

namespace hearth::kv {

struct ChunkStore::Implementation {
  Implementation(StoreOptions o, FileSystem& f, const Clock& c)
      : options(std::move(o)), files(f), clock(c), disk(options.directory, options.cipher),
        write_queue(options.write_queue_chunks_max) {}

  bool has_directory() const { return !options.directory.empty() && options.disk_bytes_max > 0; }
  bool writes_disk() const { return has_directory() && !options.is_read_only; }

  // opening (store_open.cpp)
  Result<> open();
  Result<> take_scan(const ScanReport& report);
  Result<> load_pins();
  void save_order_of_use();

  // memory tier; `mutex` is held
  bool make_room_in_memory(std::uint64_t bytes, const Newcomer& newcomer);
  void enqueue_write(const ChunkKey& key);
  PutOutcome put_whole(const TableEntry& entry, SharedChunk chunk);
  PutOutcome put_present(const TableEntry& entry, SharedChunk chunk);

  // disk tier (store_disk.cpp); takes the locks itself
  Result<SharedChunk> read_from_disk(const ChunkKey& key, std::uint64_t generation);
  // What a failed read means: damage is removed and becomes not_found.
  Error read_failed(const ChunkKey& key, std::uint64_t generation, Error error);
  void drop_damaged(const ChunkKey& key, std::uint64_t generation, bool is_file_there);
  void write_behind();
  void write_one(const ChunkKey& key);
  // true: written; false: not written, and nobody is to blame.
  Result<bool> write_chunk(const SharedChunk& chunk);
  // `chunk`: whose write it was; nullptr: nothing was to be written.
  void write_ended(const ChunkKey& key, const SharedChunk& chunk, const Result<bool>& written, Duration took);
  // `directory_mutex` is held.
  // false: the budget has no room that may be taken.
  Result<bool> make_room_on_disk(std::uint64_t bytes, const Newcomer& newcomer);
  bool remove_counted(const std::filesystem::path& path);
  void remove_unreachable(GcReport& report);
  Result<> change_pins(PinSet pins);
  std::uint64_t bytes_pinned_by_others(std::string_view owner) const;
  void load_uses();
  // Nothing: some of it is on its way to the disk.
  Result<std::optional<ForgetReport>> forget_written(std::string_view owner);
  // `directory_mutex` is held.
  Result<> change_uses(PinSet uses);

  const StoreOptions options;
  FileSystem& files;
  const Clock& clock;
  const DiskTier disk;
  StoreLock lock;

  std::mutex directory_mutex;
  mutable std::mutex mutex;
  // guarded by `mutex`
  StoreTable table;
  PinSet uses;               // by whom chunks were made or read; not kept for them
  StoreStatistics counters;  // only what happened since opening; statistics() adds what is now
  std::uint64_t writes_queued = 0;
  std::uint64_t writes_ended = 0;
  bool is_closing = false;
  std::condition_variable write_has_ended;

  BoundedQueue<ChunkKey> write_queue;
  Thread writer;  // last: it uses all of the above
};

}  // namespace hearth::kv
