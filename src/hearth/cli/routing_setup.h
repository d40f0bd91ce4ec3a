#pragma once
// What a server needs to send requests elsewhere, made of its configuration.

#include <functional>
#include <memory>
#include <string>

#include "hearth/cli/serve_config.h"
#include "hearth/gateway/routing.h"
#include "hearth/store/verdicts.h"

namespace hearth::cli {

// Where things of routing and of the egress process are when the configuration does not say.
Result<std::filesystem::path> in_config_directory(const std::filesystem::path& chosen, std::string_view name);
// The key of an upstream, from its variable or file; empty when it names neither. invalid_argument when
// the one it names is not there; a file that others can read is refused.
Result<std::string> read_upstream_key(const upstream::EndpointSpec& spec);
std::string verdicts_file_of(const ServeConfig& config, const std::filesystem::path& directory);

class RoutingSetup {
 public:
  // `basis` is asked for each verdict. `gate`, asked before anything leaves, outlives this.
  static Result<std::unique_ptr<RoutingSetup>> open(const ServeConfig& config,
                                                    std::function<store::VerdictBasis()> basis,
                                                    const seal::RemoteGate& gate);
  virtual ~RoutingSetup() = default;
  virtual const gateway::Routing& routing() const = 0;
};

}  // namespace hearth::cli
