#pragma once
// hearth.lock: the versions, model files, links and services of a set-up that was found good, as
// `hearth check --pin` wrote them. TOML; the format is docs/check.md. Values; pure.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hearth/base/digest.h"
#include "hearth/base/result.h"
#include "hearth/check/finding.h"

namespace hearth::check {

inline constexpr std::size_t lock_bytes_max = 16u << 20;
inline constexpr std::size_t lock_entries_max = 4'096;  // of each kind

struct LockedShard {
  std::string file;  // name without folder
  std::uint64_t bytes = 0;
  std::optional<Digest256> sha256;  // absent: pinned without reading the file
  bool operator==(const LockedShard&) const = default;
};

struct LockedModel {
  std::string path;  // of the first file, as given
  std::string url;   // where it came from; may be empty
  std::string template_sha256;  // of tokenizer.chat_template; empty: it has none
  std::vector<LockedShard> shards;
  bool operator==(const LockedModel&) const = default;
};

struct LockedLink {
  std::string interface;
  std::uint64_t mbit_s = 0, mtu_bytes = 0;
  bool operator==(const LockedLink&) const = default;
};

struct LockedEndpoint {
  std::string kind, url;
  bool operator==(const LockedEndpoint&) const = default;
};

// What has a version: "hearth", "engine", "machine.spark-1.engine", "endpoint.http://….build".
using Versions = std::map<std::string, std::string, std::less<>>;

struct Lock {
  Versions versions;
  std::vector<LockedModel> models;
  std::vector<LockedLink> links;
  std::vector<LockedEndpoint> endpoints;
  bool operator==(const Lock&) const = default;

  // By path, else by file name; nullptr when it is not pinned.
  const LockedModel* find_model(std::string_view path) const;
};

std::string lock_text(const Lock& lock);
// invalid_argument with file, line and the right form.
Result<Lock> parse_lock(std::string_view text, std::string_view name);

// Each difference is a line "- key = old" and a line "+ key = new"; empty when there is none.
std::string version_diff(const Versions& pinned, const Versions& now);
// The same of everything that is pinned.
std::string lock_diff(const Lock& pinned, const Lock& now);
// What `now` lacks was not looked at, and is no difference.
Findings version_findings(const Versions& pinned, const Versions& now);

}  // namespace hearth::check
