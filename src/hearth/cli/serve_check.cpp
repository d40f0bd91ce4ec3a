// What settings must be together (check_serve_config of serve_config.h).
#include <fmt/format.h>

#include "hearth/cli/serve_config.h"
#include "hearth/net/address.h"

namespace hearth::cli {
namespace {

Result<> check_pool(const ServeConfig& config) {
  if (config.pool.empty()) {
    if (config.pool_shares.empty() && config.pool_bandwidths.empty()) return {};
    return fail(Code::invalid_argument, "pool_shares and pool_bandwidths are for the machines of pool, which names none");
  }
  if (!config.cluster) {
    return fail(Code::invalid_argument, "pool: its machines are those of a cluster; give --cluster, or enabled = true in "
                                        "[cluster] of hearth.toml");
  }
  for (const auto* numbers : {&config.pool_shares, &config.pool_bandwidths}) {
    for (const std::string& machine : config.pool) {
      if (numbers->empty() || numbers->contains(machine)) continue;
      return fail(Code::invalid_argument,
                  fmt::format("{}: none for {}; name every machine of the pool, and this one",
                              numbers == &config.pool_shares ? "pool_shares" : "pool_bandwidths", machine));
    }
  }
  return {};
}

}  // namespace

Result<> check_serve_config(const ServeConfig& config, bool needs_model) {
  if (needs_model && config.model.empty() && !config.lend && !config.managed) {
    return fail(Code::invalid_argument, "no model: give --model FILE, or model = \"FILE\" in [serve] of hearth.toml");
  }
  TRY(check_pool(config));
  TRY(model::check_adapter_sets(config.adapters));
  for (const std::string& key : config.api_keys) {
    if (key.size() < 8) {
      return fail(Code::invalid_argument,
                  "api_keys: a key has fewer than 8 characters; make one with: openssl rand -hex 24");
    }
  }
  if (!net::Address::tcp(config.host, 0).is_local() && config.api_keys.empty()) {
    return fail(Code::invalid_argument,
                fmt::format("host: {} can be reached from other machines, and no API key is set; set HEARTH_API_KEY "
                            "or api_keys in [serve] of hearth.toml, or use --host 127.0.0.1", config.host));
  }
  return {};
}

}  // namespace hearth::cli
