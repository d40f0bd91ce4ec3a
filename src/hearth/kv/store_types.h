#pragma once
// What the chunk store says about itself: plain values and their JSON form. Bytes are bytes,
// durations are seconds.

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "hearth/base/json.h"
#include "hearth/kv/chunk.h"

namespace hearth::kv {

inline constexpr std::string_view uses_file_name = "uses.json";  // beside it, once anything had a user
inline constexpr std::string_view pins_file_name = "pins.json";  // in a store's directory, once anything was pinned

enum class Tier : std::uint8_t { memory, disk, both };
std::string_view tier_name(Tier tier);

struct ChunkInfo {
  ChunkKey key;
  ChunkKey parent;
  LayoutDigest layout;
  TokenRange range;
  bool is_partial = false;
  std::uint64_t chunk_bytes = 0;  // header and payload
  Tier tier = Tier::memory;
  bool is_write_pending = false;
  double idle_s = 0;  // since it was last put, read or found by a prefix search
  std::vector<std::string> pin_owners;
};

// One link of the longest stored prefix.
struct PrefixChunk {
  ChunkKey key;
  TokenRange range;
  std::uint64_t chunk_bytes = 0;
  Tier tier = Tier::memory;
  bool is_partial = false;
};
struct StoredPrefix {
  std::vector<PrefixChunk> chunks;  // in order from position 0, without gaps; the last is not partial
  std::uint32_t token_count() const { return chunks.empty() ? 0 : chunks.back().range.end; }
};

struct StoreStatistics {
  // now
  std::uint64_t memory_chunks = 0, memory_bytes = 0;
  std::uint64_t disk_chunks = 0, disk_bytes = 0;
  std::uint64_t pinned_chunks = 0, pinned_bytes = 0;  // those that are here
  std::uint64_t pending_writes = 0;
  bool is_disk_full = false;
  std::string disk_error;  // the first one since the disk last worked
  // since the store was opened
  std::uint64_t puts = 0, puts_present = 0, puts_different = 0, puts_refused = 0;
  std::uint64_t memory_hits = 0, disk_hits = 0, misses = 0;
  std::uint64_t memory_evictions = 0, disk_evictions = 0;
  std::uint64_t disk_writes = 0, disk_write_failures = 0, disk_writes_dropped = 0;  // dropped: no room
  std::uint64_t disk_full_count = 0, remove_failures = 0;
  std::uint64_t damaged_count = 0;
  std::uint64_t temporaries_removed = 0, foreign_files = 0;
  std::uint64_t read_bytes = 0, written_bytes = 0;
  double read_s = 0, write_s = 0;
};

struct ForgetReport {
  std::uint64_t dropped = 0, bytes = 0;  // files and copies in memory are gone
  std::uint64_t shared = 0;              // stay: somebody else has used them, or what goes on from them
  std::uint64_t pinned = 0;              // stay: somebody pinned them
};

struct DamagedFile {
  std::filesystem::path path;
  std::string reason;
};
struct VerifyReport {
  std::uint64_t files = 0, bytes = 0;
  std::uint64_t removed = 0;  // none in a read-only store
  std::vector<DamagedFile> damaged;
  bool is_complete = true;  // false when it was stopped
};
struct GcReport {
  std::uint64_t temporaries_removed = 0;
  std::uint64_t unreachable_removed = 0;  // a chunk before them is gone, so no prompt finds them
  std::uint64_t evicted = 0;              // over the disk budget
  std::uint64_t damaged_removed = 0;
  std::uint64_t bytes_freed = 0;
  std::uint64_t pins_without_chunk = 0;   // kept: the chunk may come back
};

Json to_json(const ChunkInfo& info);
Json to_json(const StoreStatistics& statistics);
Json to_json(const VerifyReport& report);
Json to_json(const GcReport& report);
Json to_json(const StoredPrefix& prefix);

}  // namespace hearth::kv
