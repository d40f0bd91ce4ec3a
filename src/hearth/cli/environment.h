#pragma once
// Where things are on this machine: the only place that reads environment variables.

#include <filesystem>
#include <string>

#include "hearth/base/result.h"

namespace hearth::cli {

// This executable, for starting another of it.
std::filesystem::path own_executable();
// hearth-worker beside this executable.
Result<std::filesystem::path> find_worker_executable();
// HEARTH_HOME, else ~/.cache/hearth (or XDG_CACHE_HOME/hearth): chunk store, generated models.
Result<std::filesystem::path> cache_directory();
// HEARTH_HOME, else ~/.config/hearth (or XDG_CONFIG_HOME/hearth): what people wrote themselves.
Result<std::filesystem::path> config_directory();
// `chosen`, or cluster/ in the configuration directory when it is empty.
Result<std::filesystem::path> cluster_directory(const std::filesystem::path& chosen);
// What the system calls this machine; empty when it does not say.
std::string host_name();
// As many open files as the system lets this process have: a connection is one, and a wait two.
void raise_file_limit();
// VISUAL, else EDITOR; empty when neither is set.
std::string editor_variable();
// HEARTH_API_KEY; empty when it is not set.
std::string api_key_variable();

}  // namespace hearth::cli
