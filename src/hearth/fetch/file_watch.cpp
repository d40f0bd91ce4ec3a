#include "hearth/fetch/file_watch.h"

#include <fmt/format.h>

namespace hearth::fetch {
namespace {

constexpr std::uint32_t readers = 4;
constexpr int readings_max = 3;  // of a file that changes, or is only touched, while it is read

FileDigest read_again(const std::filesystem::path& file, DigestMemory& memory, const StopToken& stop) {
  FileDigest out = digest_files({file}, 1, memory, {}, stop).front();
  for (int i = 1; i < readings_max && !out.sha256 && out.sha256.error().code == Code::unavailable; ++i) {
    out = digest_files({file}, 1, memory, {}, stop).front();
  }
  return out;
}

}  // namespace

Result<FileWatch> FileWatch::begin(const std::vector<std::filesystem::path>& files, DigestMemory memory,
                                   const DigestProgress& progress, const StopToken& stop) {
  FileWatch out(std::move(memory));
  for (const FileDigest& one : digest_files(files, readers, out.memory_, progress, stop)) {
    if (!one.sha256) return std::unexpected(one.sha256.error());
    out.files_.push_back({.file = one.file, .stamp = one.stamp, .sha256 = *one.sha256});
  }
  return out;
}

Result<> FileWatch::look(const StopToken& stop) {
  for (WatchedFile& one : files_) {
    const auto now = stamp_of(one.file);
    if (now && *now == one.stamp) continue;
    const FileDigest read = read_again(one.file, memory_, stop);
    if (!read.sha256 && read.sha256.error().code == Code::cancelled) return std::unexpected(read.sha256.error());
    if (!read.sha256) {
      return fail(Code::corrupt, fmt::format("{} is not what it was: {}", one.file.string(), read.sha256.error().message));
    }
    if (*read.sha256 != one.sha256) {
      return fail(Code::corrupt, fmt::format("{} is not what it was: its SHA-256 was {} and is {} now", one.file.string(),
                                             one.sha256.hex(), read.sha256->hex()));
    }
    one.stamp = read.stamp;
  }
  return {};
}

}  // namespace hearth::fetch
