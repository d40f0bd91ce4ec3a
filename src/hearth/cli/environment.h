#pragma once
// Where things are on this machine: the only place that reads environment variables.

#include <filesystem>
#include <string>
#include <vector>

#include "hearth/base/result.h"

namespace hearth::cli {

// This executable, for starting another of it.
std::filesystem::path own_executable();
// hearth-worker beside this executable.
Result<std::filesystem::path> find_worker_executable();
// hearth-sandbox beside this executable.
Result<std::filesystem::path> find_sandbox_executable();
// HEARTH_HOME, else ~/.cache/hearth (or XDG_CACHE_HOME/hearth): chunk store, generated models.
Result<std::filesystem::path> cache_directory();
// HEARTH_HOME, else ~/.config/hearth (or XDG_CONFIG_HOME/hearth): what people wrote themselves.
Result<std::filesystem::path> config_directory();
// `chosen`, or cluster/ in the configuration directory when it is empty.
Result<std::filesystem::path> cluster_directory(const std::filesystem::path& chosen);
// `chosen`, or vault/ in the data directory: HEARTH_HOME, else ~/.local/share/hearth (or XDG_DATA_HOME/hearth).
Result<std::filesystem::path> vault_directory(const std::filesystem::path& chosen);
// seal/ beside the vault's place: labels that were given, the audit log, the last seal check.
Result<std::filesystem::path> seal_directory();
// HOME; empty when it is not set.
std::string home_directory();
// The user's name, for records.
std::string user_name();
// Every variable, as "NAME=value": for a child that is started without some of them.
std::vector<std::string> all_variables();
// What the system calls this machine; empty when it does not say.
std::string host_name();
// As many open files as the system lets this process have: a connection is one, and a wait two.
void raise_file_limit();
// HEARTH_ENDS_WITH_INPUT: whoever started us wants us gone when it is (base/child_process.h).
bool ends_with_input_variable();
// VISUAL, else EDITOR; empty when neither is set.
std::string editor_variable();
// HEARTH_API_KEY; empty when it is not set.
std::string api_key_variable();
// Any variable, for keys of other services; empty when it is not set.
std::string variable_value(const std::string& name);

}  // namespace hearth::cli
