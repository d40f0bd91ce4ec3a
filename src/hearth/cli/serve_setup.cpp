#include "hearth/cli/serve_setup.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <semaphore>

#include "hearth/check/machine_check.h"
#include "hearth/check/model_check.h"
#include "hearth/cli/environment.h"
#include "hearth/node/pool/memory_pool.h"

namespace hearth::cli {
namespace {

constexpr std::uint64_t config_bytes_max = 1u << 20;

// The same worker with its layers on the machines of the pool.
Result<node::KeeperOptions> over_pool(node::KeeperOptions keeper, const ServeConfig& config) {
  node::PoolOptions pool{.worker_executable = keeper.worker_executable, .lenders = config.pool,
                         .shares = config.pool_shares, .bandwidths = config.pool_bandwidths};
  const auto directory = TRY(cluster_directory(config.cluster_directory));
  auto membership = TRY(node::ClusterMembership::open(directory));
  keeper.arrange = [memory = std::make_shared<node::MemoryPool>(std::move(pool), std::move(membership))](
                       node::WorkerOptions worker, std::uint32_t life, const StopToken& stop) {
    return memory->arrange(std::move(worker), life, stop);
  };
  return keeper;
}

// What a member's `hearth check` hears of this machine and of the model on it. Its lock is there, not here.
Json machine_findings_json(const std::filesystem::path& model) {
  std::vector<std::filesystem::path> folders;
  if (!model.empty()) folders.push_back(model.has_parent_path() ? model.parent_path() : ".");
  check::Findings out = check::machine_findings(check::gather_machine("/", folders), 0);
  if (!model.empty()) {
    check::Findings of_model = check::model_findings(check::gather_model(model), nullptr);
    std::erase_if(of_model, [](const check::Finding& one) { return one.id == "model.unpinned"; });
    check::append(out, std::move(of_model));
  }
  return check::findings_json(out);
}

}  // namespace

void declare_serve_flags(Flags& f, ServeFlags& flags, std::span<const std::string_view> sections) {
  f.path("--config,-c", flags.config, "settings (default: hearth.toml in the configuration directory)");
  for (std::size_t i = 0; i < flags.flags.size(); ++i) {
    const ServeFlag& flag = flags.flags[i];
    if (!sections.empty() && std::ranges::find(sections, flag.section) == sections.end()) continue;
    if (flag.repeats) f.list(flag.flag, flags.lists[i], flag.help);
    else f.text(flag.flag, flags.values[i], flag.help);
  }
  if (sections.empty() || std::ranges::find(sections, "worker") != sections.end()) {
    f.list("--lora", flags.loras,
           "NAME=FILE or NAME=FILE:SCALE: a LoRA adapter (GGUF), asked for as the model \"MODEL+NAME\"; may be given again");
    f.list("--control-vector", flags.control_vectors,
           "NAME=FILE, NAME=FILE:SCALE or NAME=FILE:SCALE:FIRST-LAST (layers): a control vector (GGUF), as --lora");
  }
  f.toggle("--verbose", flags.verbose, "the engine's own log on standard error");
}

Result<ServeConfig> resolve_serve_flags(const ServeFlags& flags) {
  ServeConfig out;
  std::filesystem::path file = flags.config;
  if (file.empty()) {
    const auto directory = config_directory();
    std::error_code ignored;
    if (directory && std::filesystem::exists(*directory / "hearth.toml", ignored)) file = *directory / "hearth.toml";
  }
  if (!file.empty()) {
    TRY(read_serve_config(TRY(read_text_file(file, config_bytes_max)), file.string(), out));
  }
  for (std::size_t i = 0; i < flags.flags.size(); ++i) {
    std::vector<std::string> given = flags.lists[i];
    if (!flags.values[i].empty()) given.push_back(flags.values[i]);
    if (!given.empty()) TRY(apply_flag(out, flags.flags[i].flag, given));
  }
  for (const std::string& text : flags.loras) {
    TRY(model::add_adapter_file(out.adapters, model::AdapterKind::lora, text));
  }
  for (const std::string& text : flags.control_vectors) {
    TRY(model::add_adapter_file(out.adapters, model::AdapterKind::control_vector, text));
  }
  if (!flags.model.empty()) out.model = flags.model;
  if (flags.no_store) out.store = false;
  if (flags.cluster) out.cluster = true;
  if (flags.lend) out.lend = true;
  if (flags.managed) out.managed = true;
  if (const std::string key = api_key_variable(); !key.empty()) out.api_keys.push_back(key);
  TRY(check_serve_config(out, flags.needs_model));
  return out;
}

Result<node::LocalModelOptions> local_model_options(const ServeConfig& config, bool verbose) {
  node::LocalModelOptions out;
  out.keeper.worker_executable = TRY(find_worker_executable());
  out.keeper.worker = {.model_path = config.model,
                       .context_tokens = config.context_tokens,
                       .sequences = config.sequences,
                       .chunk_tokens = config.chunk_tokens,
                       .ubatch_tokens = config.ubatch_tokens,
                       .kv_type = config.kv_type,
                       .threads = config.threads,
                       .device = config.device,
                       .verbose = verbose,
                       .adapters = config.adapters};
  if (!config.pool.empty() && config.pool_mode == "unified") out.keeper = TRY(over_pool(out.keeper, config));
  if (config.store) {
    out.store_directory =
        config.store_directory.empty() ? TRY(cache_directory()) / "chunks" : config.store_directory;
  }
  out.store_disk_bytes_max = config.store_disk_gb * 1'000'000'000ull;
  out.store_memory_bytes_max = config.store_memory_gb * 1'000'000'000ull;
  return out;
}

Result<std::unique_ptr<node::GatheredPrefiller>> start_gathered(const ServeConfig& config, bool verbose,
                                                                node::LocalModel& model,
                                                                const node::WorkerKeeper::Progress& progress,
                                                                const StopToken& stop) {
  if (config.pool.empty() || config.pool_mode != "gathered") return nullptr;
  node::KeeperOptions keeper = TRY(over_pool(TRY(local_model_options(config, verbose)).keeper, config));
  keeper.worker.name = "gathered";
  // No machine is called so: what is known of a machine that lends is not known of the pool.
  return node::GatheredPrefiller::start(fmt::format("pool {}", fmt::join(config.pool, "+")), std::move(keeper),
                                        model.store(), progress, stop);
}

LogLevel log_level_of(const ServeConfig& config) {
  if (config.log_level == "debug") return LogLevel::debug;
  if (config.log_level == "info") return LogLevel::info;
  if (config.log_level == "warning") return LogLevel::warning;
  return config.log_level == "error" ? LogLevel::error : LogLevel::off;
}

Result<std::unique_ptr<node::Agent>> start_agent(const ServeConfig& config, node::LocalModel* model,
                                                 bool coordinates, const StopToken& stop,
                                                 std::optional<node::AssignmentDesk> assignments,
                                                 node::GatheredPrefiller* pool) {
  if (!config.cluster) return nullptr;
  node::AgentConfig agent{.directory = TRY(cluster_directory(config.cluster_directory)),
                          .listen = config.cluster_listen,
                          .hearth_version = HEARTH_VERSION,
                          .prefills_max = config.prefills_max,
                          .coordinates = coordinates,
                          .prefill = TRY(cluster::parse_prefill_policy(config.cluster_prefill)),
                          .parity = {.kl_max = config.parity_kl, .needs_exact = config.parity_exact,
                                     .tokens_equal_min = config.parity_tokens},
                          .other_precision = config.other_precision,
                          .canary_interval = std::chrono::duration_cast<Duration>(
                              std::chrono::duration<double, std::ratio<3600>>(config.canary_hours)),
                          .pool = pool,
                          .look_at_machine = [model_file = config.model] { return machine_findings_json(model_file); },
                          .assignments = std::move(assignments)};
  if (config.lend) {
    agent.lends = node::LenderOptions{.server = {.worker_executable = TRY(find_worker_executable()),
                                                 .device = config.device, .threads = config.threads},
                                      .tunnel_port = static_cast<std::uint16_t>(config.lend_port)};
  }
  return node::Agent::start(std::move(agent), model, stop);
}

void wait_until_stopped(const StopToken& stop, const StopToken& or_this) {
  std::counting_semaphore<2> fired(0);
  const StopCallback wake(stop, [&] { fired.release(); });
  const StopCallback wake_too(or_this, [&] { fired.release(); });
  fired.acquire();
}

}  // namespace hearth::cli
