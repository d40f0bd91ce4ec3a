#pragma once
// The unfinished half of a download: NAME.part and NAME.part.json. Private to fetch/download*.cpp.
// Thread-safe.

#include <filesystem>
#include <functional>
#include <mutex>

#include "hearth/base/clock.h"
#include "hearth/base/file.h"
#include "hearth/fetch/download_state.h"

namespace hearth::fetch {

std::filesystem::path part_path(const std::filesystem::path& target);
std::filesystem::path state_path(const std::filesystem::path& target);
// The state beside an unfinished half of the same version; nothing otherwise.
std::optional<DownloadState> kept_state(const std::filesystem::path& target, const FileVersion& version);

// Opens NAME.part for this download alone, from before its first byte until it has its name: the lock goes
// with the descriptor. unavailable while somebody else has it, or when it was finished just now.
Result<FileDescriptor> lock_part(const std::filesystem::path& target);

class PartFile {
 public:
  // Goes on with the unfinished half of this version, or begins anew. `locked` outlives it.
  static Result<std::unique_ptr<PartFile>> open(const FileDescriptor& locked, const std::filesystem::path& target,
                                                FileVersion version, std::uint64_t piece_bytes);
  std::optional<Piece> take();
  // Writes a piece that was taken, and now and then what is there.
  Result<> put(const Piece& piece, ByteSpan bytes);
  void give_back(const Piece& piece);
  std::uint64_t bytes_done() const;
  bool is_complete() const;
  // Makes what was put survive a loss of power, then says so.
  Result<> save();

 private:
  PartFile(std::filesystem::path target, const FileDescriptor& file, DownloadState state)
      : target_(std::move(target)), file_(file), state_(std::move(state)) {}
  const std::filesystem::path target_;
  const FileDescriptor& file_;
  mutable std::mutex mutex_;
  DownloadState state_;
  Instant saved_{};
};

// Writes all of `bytes` at `offset`.
Result<> write_at(const FileDescriptor& file, std::uint64_t offset, ByteSpan bytes, const std::filesystem::path& path);

}  // namespace hearth::fetch
