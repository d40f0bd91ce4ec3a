#pragma once
// What `hearth serve` is told, by hearth.toml and by flags. One table of settings is both: each
// has a place in the file, a range, an example, and most have a flag. docs/serve.md lists them.
//
// Errors are invalid_argument: where (file:line or flag), the bad value, what is expected, and a
// value that would be right.

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "hearth/base/result.h"
#include "hearth/gateway/api.h"
#include "hearth/model/adapter_set.h"
#include "hearth/route/table.h"
#include "hearth/upstream/spec.h"

namespace hearth::cli {

struct ServeConfig {
  // [serve]
  std::filesystem::path model;
  std::string host = "127.0.0.1";
  std::uint32_t port = 8484;
  std::vector<std::string> api_keys, allowed_hosts, allowed_origins;
  std::string model_name;   // empty: the file's own
  std::string chat_format;  // empty: chosen from the model's template
  // [worker]
  std::uint32_t context_tokens = 32768, sequences = 4, chunk_tokens = 1024, ubatch_tokens = 512;
  std::uint32_t threads = 0;
  std::string kv_type = "f16";
  std::string device = "auto";
  // [[adapter]]
  std::vector<model::AdapterSet> adapters;
  // [store]
  bool store = true;
  std::filesystem::path store_directory;  // empty: in the cache directory
  std::uint32_t store_disk_gb = 20, store_memory_gb = 1;
  // [sampling]
  gateway::SamplingChoice sampling;
  bool client_sampling = true;
  // [limits]
  std::uint32_t requests_max = 64, connections_max = 1024, body_mb_max = 64;
  double heartbeat_s = 10, grace_s = 60, whole_answer_wait_s = 240;
  // [cluster]
  bool cluster = false;
  std::filesystem::path cluster_directory;  // empty: in the configuration directory
  std::string cluster_listen;               // empty: the member's own port, on every address
  std::uint32_t prefills_max = 1;
  std::string cluster_prefill = "auto";     // auto, alone, remote
  bool managed = false;  // takes what hearth up assigns; may then start without a model
  double parity_kl = 0.01;  // nats
  bool parity_exact = false;
  std::uint32_t parity_tokens = 4;
  std::map<std::string, double> other_precision;  // machines, and the KL that is allowed them
  double canary_hours = 1;
  bool lend = false;
  std::uint32_t lend_port = 0;
  std::vector<std::string> pool;                  // machines whose memory this one's worker uses
  std::string pool_mode = "unified";
  std::map<std::string, double> pool_shares, pool_bandwidths;  // by machine
  // [seal]
  std::string default_label = "open";
  std::vector<std::string> key_labels, folders, patterns;  // KEY=LABEL, /FOLDER=LABEL, NAME=TEXT
  std::filesystem::path vault_directory;                   // empty: in the data directory
  std::map<std::string, std::string> key_names;   // of API keys, by key
  // [[upstream]], [routes], [egress]
  std::vector<upstream::EndpointSpec> upstreams;
  route::RouteTable routes = route::default_routes();
  std::filesystem::path egress_socket, egress_audit;  // empty: in the configuration directory
  std::string egress_access = "owner";                // who may connect to that socket
  std::string model_digest, topology, suite_version;  // what is true here, for verdicts of the bench
  // [log]
  std::string log_level = "info";
};

// One flag of `hearth serve`, for the command line to declare.
struct ServeFlag {
  std::string section, flag, help;
  bool repeats = false;  // may be given more than once
};
std::vector<ServeFlag> serve_flags();
// The last value counts; lists take all.
Result<> apply_flag(ServeConfig& config, std::string_view flag, std::span<const std::string> values);

// `name` is the file's, for messages. All that is wrong is told at once, a line each.
Result<> read_serve_config(std::string_view toml, std::string_view name, ServeConfig& config);

// What settings must be together: an open address needs a key, a model must be named where one is
// served, a pool needs a cluster, its numbers each machine.
Result<> check_serve_config(const ServeConfig& config, bool needs_model = true);

}  // namespace hearth::cli
