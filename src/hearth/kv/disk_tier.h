#pragma once
// The files of a chunk store: names, scan, lock. It decides nothing about what stays.
// The store serialises what changes the directory; reading is free.

#include <filesystem>
#include <memory>
#include <vector>

#include "hearth/base/file.h"
#include "hearth/kv/chunk.h"
#include "hearth/kv/chunk_cipher.h"
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
  // With a cipher every file is sealed; files of the other kind are foreign.
  explicit DiskTier(std::filesystem::path directory, std::shared_ptr<const ChunkCipher> cipher = nullptr)
      : directory_(std::move(directory)), cipher_(std::move(cipher)) {}

  // directory/ab/ab…cd.kv; sealed: .skv, under the cipher's name for it
  std::filesystem::path path_of(const ChunkKey& key) const;
  std::filesystem::path pins_path() const { return directory_ / pins_file_name; }
  std::filesystem::path uses_path() const { return directory_ / uses_file_name; }
  const std::filesystem::path& directory() const { return directory_; }

  bool is_sealed() const { return cipher_ != nullptr; }

  // As chunk_file.h and sealed_chunk_file.h have it.
  Result<> write(FileSystem& files, const Chunk& chunk, Durability durability) const;
  Result<Chunk> read(const ChunkKey& key) const;
  Result<> write_pins(FileSystem& files, std::string_view text) const;
  Result<std::string> read_pins() const;  // not_found when there are none
  Result<> write_uses(FileSystem& files, std::string_view text) const;
  Result<std::string> read_uses() const;

  // Headers only. Fails when the directory cannot be read; single files never make it fail.
  Result<ScanReport> scan() const;

 private:
  Result<> write_list(FileSystem& files, const std::filesystem::path& path, std::string_view context, std::string_view text,
                      Durability durability) const;
  Result<std::string> read_list(const std::filesystem::path& path, std::string_view context) const;
  Result<ScannedChunk> scan_file(const std::filesystem::path& path) const;
  void scan_entry(const std::filesystem::path& path, ScanReport& report) const;
  Result<> scan_folder(const std::filesystem::path& folder, ScanReport& report) const;
  std::filesystem::path directory_;
  std::shared_ptr<const ChunkCipher> cipher_;
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
