#pragma once
// What hearth serve and hearth node have in common: flags over hearth.toml, the model's options,
// the machine's agent.

#include <memory>

#include "hearth/base/log.h"
#include "hearth/cli/command_line.h"
#include "hearth/cli/serve_config.h"
#include "hearth/node/agent/agent.h"
#include "hearth/node/pool/gathered_prefiller.h"

namespace hearth::cli {

struct ServeFlags {
  std::filesystem::path config;
  std::vector<ServeFlag> flags = serve_flags();
  std::vector<std::string> values = std::vector<std::string>(flags.size());  // empty: not given
  std::vector<std::vector<std::string>> lists = std::vector<std::vector<std::string>>(flags.size());
  std::string model;  // where the section of its flag is left out
  std::vector<std::string> loras, control_vectors;  // NAME=FILE…
  bool no_store = false;
  bool cluster = false;
  bool lend = false;
  bool managed = false;
  bool needs_model = true;  // false for programs that only read the rest of the settings
  bool verbose = false;
};
// The flags of the named sections; all of them when none is named.
void declare_serve_flags(Flags& f, ServeFlags& flags, std::span<const std::string_view> sections = {});
// hearth.toml, then flags, then the environment; checked.
Result<ServeConfig> resolve_serve_flags(const ServeFlags& flags);

Result<node::LocalModelOptions> local_model_options(const ServeConfig& config, bool verbose);
// nullptr where no pool gathers. Without an agent that knows of it, it prefills for `model` until it is destroyed,
// which is before `model` is and after its last answer.
Result<std::unique_ptr<node::GatheredPrefiller>> start_gathered(const ServeConfig& config, bool verbose,
                                                                node::LocalModel& model,
                                                                const node::WorkerKeeper::Progress& progress,
                                                                const StopToken& stop);
LogLevel log_level_of(const ServeConfig& config);
// nullptr when this machine takes no part in a cluster. `model` may be nullptr where it only lends, or
// waits for an assignment.
Result<std::unique_ptr<node::Agent>> start_agent(const ServeConfig& config, node::LocalModel* model,
                                                 bool coordinates, const StopToken& stop,
                                                 std::optional<node::AssignmentDesk> assignments = {},
                                                 node::GatheredPrefiller* pool = nullptr);
void wait_until_stopped(const StopToken& stop, const StopToken& or_this = {});

}  // namespace hearth::cli
