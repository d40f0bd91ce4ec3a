#pragma once
// SHA-256 of files on disk, several at once, each read once in its life: a digest is remembered with
// the file's device, inode, size and time of change (which no program can set), and asked for again only when one of
// them differs.
// So a check of 600 GB that was interrupted goes on with the next file.
//
// A file that changes while it is read has no digest (unavailable). One thread calls; readers are
// threads of its own.

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "hearth/base/digest.h"
#include "hearth/base/json.h"
#include "hearth/base/stop.h"

namespace hearth::fetch {

struct FileStamp {
  std::uint64_t device = 0, inode = 0, bytes = 0;
  std::int64_t changed_ns = 0;  // of content or anything else (ctime): set by the system alone
  auto operator<=>(const FileStamp&) const = default;
};
Result<FileStamp> stamp_of(const std::filesystem::path& file);

inline constexpr std::size_t remembered_digests_max = 100'000;

// What was computed before. A file of JSON lines; one that cannot be read is as good as none.
class DigestMemory {
 public:
  static DigestMemory open(std::filesystem::path file);  // empty path: remembers in memory only
  std::optional<Digest256> find(const FileStamp& stamp) const;
  // Written through: an interrupted check keeps what it has.
  void remember(const FileStamp& stamp, const Digest256& digest);

 private:
  std::filesystem::path file_;
  std::map<FileStamp, Digest256> known_;
};

// One line of that file.
Json digest_line(const FileStamp& stamp, const Digest256& digest);
Result<std::pair<FileStamp, Digest256>> parse_digest_line(std::string_view line);

struct FileDigest {
  std::filesystem::path file;
  Result<Digest256> sha256;
  FileStamp stamp{};  // of the moment that the digest is of
  bool was_remembered = false;
};

using DigestProgress = std::function<void(std::uint64_t done_bytes, std::uint64_t total_bytes)>;

// In the order of `files`. `progress` is called from one of the readers at a time.
std::vector<FileDigest> digest_files(const std::vector<std::filesystem::path>& files, std::uint32_t readers,
                                     DigestMemory& memory, const DigestProgress& progress, const StopToken& stop);

}  // namespace hearth::fetch
