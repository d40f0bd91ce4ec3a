#include "hearth/node/agent/assignment.h"

#include "hearth/base/digest.h"
#include "hearth/base/file.h"
#include "hearth/node/membership/cluster_folder.h"

namespace hearth::node {
namespace {

constexpr std::string_view file_name = "assignment.toml";

}  // namespace

std::string assignment_digest(std::string_view toml) { return Blake2b().update(toml).finish().hex(); }

Result<std::string> load_assignment(const std::filesystem::path& cluster_directory) {
  const auto path = cluster_directory / file_name;
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) return std::string();
  return read_text_file(path, assignment_bytes_max);
}

Result<> keep_assignment(const std::filesystem::path& cluster_directory, std::string_view toml) {
  return write_cluster_file(cluster_directory / file_name, toml);
}

}  // namespace hearth::node
