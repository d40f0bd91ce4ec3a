#pragma once
// What a machine is told to run by the one that holds the cluster's authority (hearth up). Only a
// machine that was started to take it does, and only from that one.
//
// The text is a part of hearth.toml; what it may contain is its reader's business. It is kept in
// the cluster's folder (assignment.toml) and in force from the next start of the agent, which the
// taking of it brings about.

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include "hearth/base/json.h"
#include "hearth/base/result.h"

namespace hearth::node {

inline constexpr std::size_t assignment_bytes_max = 64 * 1024;
inline constexpr std::string_view assignment_path = "/v1/assignment";
inline constexpr std::string_view assignment_type = "application/toml";

struct AssignmentDesk {
  std::function<Result<>(std::string_view toml)> check;  // every fault of it, before it is kept
  std::function<void()> begin_anew;  // called once it is kept; returns at once
  std::string digest{};   // of the text that this life of the agent does; empty: nothing was assigned
  std::string trouble{};  // why what was assigned does not run
};

// Names a text: equal digests are equal assignments.
std::string assignment_digest(std::string_view toml);

// Empty where nothing was assigned yet.
Result<std::string> load_assignment(const std::filesystem::path& cluster_directory);
Result<> keep_assignment(const std::filesystem::path& cluster_directory, std::string_view toml);

}  // namespace hearth::node
