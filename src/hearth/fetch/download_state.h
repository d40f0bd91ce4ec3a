#pragma once
// Which pieces of a file are there: handed out to several connections, kept beside the unfinished
// file so that a download goes on where it ended. A state machine without I/O; one thread at a time.

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "hearth/base/json.h"
#include "hearth/base/result.h"

namespace hearth::fetch {

inline constexpr std::uint64_t piece_bytes_default = 16ULL << 20;
inline constexpr std::uint64_t piece_bytes_min = 4ULL << 10;
inline constexpr std::uint64_t pieces_max = 1ULL << 22;  // 64 TiB of the default size
inline constexpr std::size_t download_state_bytes_max = 16ULL << 20;

// What must be equal for two halves to belong to one file.
struct FileVersion {
  std::uint64_t size_bytes = 0;
  std::string etag;  // empty: the server gives none
  bool operator==(const FileVersion&) const = default;
};

struct Piece {
  std::uint64_t number = 0, offset = 0, bytes = 0;
};

class DownloadState {
 public:
  // resource_exhausted for more than pieces_max pieces; an empty file is invalid_argument.
  static Result<DownloadState> begin(FileVersion version, std::uint64_t piece_bytes);
  // What json() gave, as text. corrupt for anything else.
  static Result<DownloadState> parse(std::string_view text);
  Json json() const;

  const FileVersion& version() const { return version_; }
  std::uint64_t bytes_done() const;
  bool is_complete() const { return done_count_ == done_.size(); }
  // The first piece that is neither there nor out; nothing when all are.
  std::optional<Piece> take();
  void complete(const Piece& piece);
  void give_back(const Piece& piece);  // it failed

 private:
  DownloadState(FileVersion version, std::uint64_t piece_bytes, std::uint64_t count)
      : version_(std::move(version)), piece_bytes_(piece_bytes), done_(count, false) {}
  Piece piece(std::uint64_t number) const;

  FileVersion version_;
  std::uint64_t piece_bytes_;
  std::vector<bool> done_;
  std::uint64_t done_count_ = 0;
  std::uint64_t next_ = 0;           // no piece below it is free, but for those given back
  std::set<std::uint64_t> returned_;
};

}  // namespace hearth::fetch
