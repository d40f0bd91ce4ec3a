#pragma once
// Open invites: one small file each in a directory, named after the public key that it lets in
// (join_code.h). Adding and taking are single operations of the file system, so the command that
// invites and the agent that admits need no lock between them, and one invite is taken once.

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "hearth/base/file.h"

namespace hearth::node {

inline constexpr std::size_t open_invites_max = 64;

struct Invite {
  std::string public_key_sha256;
  std::string machine;  // who may join by it; empty: any name
  std::chrono::sys_seconds expires{};
};

// Removes expired ones first. resource_exhausted beyond open_invites_max.
Result<> add_invite(const std::filesystem::path& directory, const Invite& invite,
                    std::chrono::sys_seconds now, FileSystem& files);
// The open invite of that key, if there is one.
Result<std::optional<Invite>> find_invite(const std::filesystem::path& directory,
                                          std::string_view public_key_sha256,
                                          std::chrono::sys_seconds now);
// True for the one caller who took it.
Result<bool> take_invite(const std::filesystem::path& directory,
                         std::string_view public_key_sha256);
std::vector<Invite> open_invites(const std::filesystem::path& directory,
                                 std::chrono::sys_seconds now);

}  // namespace hearth::node
