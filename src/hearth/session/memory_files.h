#pragma once
// Memory: what a person wants a model to know in every session, as plain text files. Here they are
// a value, path to text, in the order of the paths' bytes: no file system, so neither a link nor a
// path can lead anywhere else. memory_folder.h reads and writes the folder.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hearth/base/digest.h"
#include "hearth/base/result.h"

namespace hearth::session {

inline constexpr std::size_t memory_file_bytes_max = 2u << 20;
inline constexpr std::size_t memory_bytes_max = 16u << 20;  // all files
inline constexpr std::size_t memory_files_max = 2'000;
inline constexpr std::size_t memory_path_bytes_max = 512;
inline constexpr std::size_t memory_depth_max = 16;

// Relative paths with '/'. A folder without files is not there.
using MemoryFiles = std::map<std::string, std::string>;

// What one file became; nothing: it was removed.
struct MemoryChange {
  std::string path;
  std::optional<std::string> text;
  bool operator==(const MemoryChange&) const = default;
};

Digest256 digest_of(const MemoryFiles& files);

// From one state to another, in order of paths.
std::vector<MemoryChange> changes_between(const MemoryFiles& before, const MemoryFiles& after);
void apply_changes(MemoryFiles& files, const std::vector<MemoryChange>& changes);

// invalid_argument that says what is wrong with the path: it must be relative, without hidden
// names ("." and ".." among them), control characters, quotes, angle brackets and backslashes.
Result<> check_memory_path(std::string_view path);
// invalid_argument (binary, not UTF-8) or resource_exhausted (too large); names what to do.
Result<> check_memory_text(std::string_view path, std::string_view text);
// The limits on all files together, and no two paths that one file system may take for one.
Result<> check_memory_files(const MemoryFiles& files);

}  // namespace hearth::session
