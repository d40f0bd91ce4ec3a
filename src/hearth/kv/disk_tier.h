#pragma once
// The files of a chunk store: names, scan, lock. It decides nothing about what stays.
// The store serialises what changes the directory; reading is free.

#include <filesystem>
#include <vector>

#include "hearth/base/file.h"
#include "hearth/kv/chunk.h"
#include "hearth/kv/store_types.h"

namespace hearth::kv {

struct ScannedChunk {
  ChunkHeader header;  // without its tokens
  std::uint64_t file_bytes = 0;
  std::filesystem::file_time_type written_at;
};
struct ScanReport {
  std::vector<ScannedChunk> chunks;              // oldest first
  std::vector<DamagedFile> damaged;              // not removed
  std::vector<std::filesystem::path> temporaries;  // left by a writer that died; not removed
  std::uint64_t foreign_files = 0;               // not ours, or of another format version
};

class DiskTier {
 public:
  explicit DiskTier(std::filesystem::path directory) : directory_(std::move(directory)) {}

  // directory/ab/ab…cd.kv
  std::filesystem::path path_of(const ChunkKey& key) const;
  std::filesystem::path pins_path() const { return directory_ / "pins.json"; }
  const std::filesystem::path& directory() const { return directory_; }

  // Headers only. Fails when the directory cannot be read; single files never make it fail.
  Result<ScanReport> scan() const;

 private:
  std::filesystem::path directory_;
};

// Makes this process the only writer. The lock goes with the object, and with the process.
class StoreLock {
 public:
  StoreLock() = default;
  // unavailable, naming the holder, the directory and the ways out.
  static Result<StoreLock> acquire(const std::filesystem::path& directory);

 private:
  FileDescriptor fd_;
};

}  // namespace hearth::kv
