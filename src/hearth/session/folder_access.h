#pragma once
// Files below a folder by relative path, without following a link anywhere on the way: each folder
// is opened from the one above it. Private to session.

#include <filesystem>
#include <string>
#include <string_view>

#include "hearth/base/file.h"

namespace hearth::session {

// The folder itself may be reached through links: its owner chose that path.
Result<FileDescriptor> open_folder(const std::filesystem::path& folder);

// The folder that holds the last name of `path`, made on the way if `create`.
struct Place {
  FileDescriptor folder;
  std::string name;
};
Result<Place> open_place(int folder, std::string_view path, bool create);

// The text of one regular file of at most `bytes_max`. not_found when it is not there;
// invalid_argument for links, hard links and whatever is not a file.
Result<std::string> read_beneath(int folder, std::string_view path, std::size_t bytes_max);
// Written aside, synced, renamed over what was there. Mode 0600, as new folders have 0700.
Result<> write_beneath(int folder, std::string_view path, std::string_view text);
// The two halves of that: a file that nobody else has the name of, and its writing.
std::string temporary_name(std::string_view name);
Result<> write_new(int folder, const std::string& name, std::string_view text, std::string_view path);
// Of the folders on the way to `path` those that are empty, from the innermost up.
void remove_empty_folders(int folder, std::string_view path);

}  // namespace hearth::session
