// hearth node: this machine as a part of a cluster, prefilling for others; join, rotate.

#include <fmt/format.h>

#include <array>
#include <cstdio>
#include <memory>

#include "hearth/cli/assignment_text.h"
#include "hearth/cli/environment.h"
#include "hearth/cli/progress.h"
#include "hearth/cli/serve_setup.h"
#include "hearth/cli/verbs.h"
#include "hearth/node/membership/membership_client.h"

namespace hearth::cli {
namespace {

constexpr Duration exchange_time_max = std::chrono::seconds(30);

struct NodeFlags {
  std::filesystem::path directory;
  std::string code, machine, address, at;
  bool json = false;
};

void print_json(const Json& json) { std::puts(dump_json(json, 2).c_str()); }

Result<> join(const NodeFlags& flags, const StopToken& stop) {
  const auto directory = TRY(cluster_directory(flags.directory));
  const auto code = TRY(node::parse_join_code(flags.code));
  const auto list = TRY(node::join_cluster(
      code, {directory, flags.machine, host_name(), flags.address},
      Deadline::after(exchange_time_max), stop));
  const auto own = TRY(node::load_identity(directory));
  if (flags.json) {
    print_json(Json::object({{"cluster", list.cluster}, {"machine", own.name},
                             {"authority", list.authority}, {"members", list.members.size()},
                             {"directory", directory.string()}}));
  } else {
    fmt::print("this machine is '{}' in cluster '{}' of {} machines ({})\n", own.name, list.cluster,
               list.members.size(), directory.string());
  }
  return {};
}

Result<> rotate(const NodeFlags& flags, const StopToken& stop) {
  const auto directory = TRY(cluster_directory(flags.directory));
  const auto membership = TRY(node::ClusterMembership::open(directory));
  const auto client = node::make_cluster_client(membership);
  const auto fresh = TRY(node::renew_certificate(*membership, *client, flags.at,
                                                 Deadline::after(exchange_time_max), stop));
  const auto seconds_left = (fresh.expires - node::system_time()).count();
  if (flags.json) {
    print_json(Json::object({{"machine", membership->machine()}, {"serial", fresh.serial},
                             {"certificate_sha256", fresh.certificate_sha256},
                             {"seconds_left", seconds_left}}));
  } else {
    fmt::print("'{}' has a new key and certificate, serial {}, good for {} days\n",
               membership->machine(), fresh.serial, seconds_left / 86'400);
  }
  return {};
}

Result<std::unique_ptr<node::LocalModel>> load_model(const ServeConfig& config, bool verbose, const StopToken& stop) {
  if (config.model.empty()) return nullptr;
  const auto progress = std::make_shared<Progress>();  // the next lives of the worker tell theirs too
  auto model = node::LocalModel::start(TRY(local_model_options(config, verbose)),
                                       [progress](double fraction) { progress->update("loading", fraction); }, stop);
  progress->clear();
  return model;
}

// Until `stop`, or until `anew`.
Result<> run_until(const ServeConfig& config, node::LocalModel* model, std::optional<node::AssignmentDesk> assignments,
                   const StopToken& stop, const StopToken& anew) {
  const auto agent = TRY(start_agent(config, model, /*coordinates=*/false, stop, std::move(assignments)));
  fmt::print("ready {} at {}\n", agent->machine(), agent->address().text());
  std::fflush(stdout);
  wait_until_stopped(stop, anew);
  log_info(stop.stop_requested() ? "stopping" : "beginning anew with what was assigned");
  return {};
}

// What cannot be done is told (hearth status, hearth up), and the machine waits to be told better.
Result<> run_assigned(const ServeConfig& own, bool verbose, const StopToken& stop) {
  const auto directory = TRY(cluster_directory(own.cluster_directory));
  while (!stop.stop_requested()) {
    StopSource anew;
    node::AssignmentDesk desk{.check = [own](std::string_view toml) {
                                ServeConfig tried = own;
                                return read_assignment(toml, tried);
                              },
                              .begin_anew = [&anew] { anew.request_stop(); }};
    ServeConfig config = own;
    const std::string toml = TRY(node::load_assignment(directory));
    if (!toml.empty()) {
      desk.digest = node::assignment_digest(toml);
      if (const auto read = read_assignment(toml, config); !read) {
        desk.trouble = read.error().message;
        config = own;
      }
    }
    auto model = load_model(config, verbose, stop);
    if (!model) {
      if (stop.stop_requested()) return {};
      desk.trouble = model.error().message;
      log_error("what was assigned cannot be done: " + desk.trouble);
    }
    const auto ended = run_until(config, model ? model->get() : nullptr, desk, stop, anew.token());
    if (ended) continue;
    if (toml.empty()) return ended;
    log_error("what was assigned cannot be done: " + ended.error().message);
    desk.trouble = ended.error().message;
    model = std::unique_ptr<node::LocalModel>();
    TRY(run_until(own, nullptr, std::move(desk), stop, anew.token()));
  }
  return {};
}

Result<> run_agent(const ServeFlags& flags, const StopToken& stop) {
  ServeConfig config = TRY(resolve_serve_flags(flags));
  config.cluster = true;
  start_log("node", log_level_of(config));
  if (config.managed) return run_assigned(config, flags.verbose, stop);
  const auto model = TRY(load_model(config, flags.verbose, stop));
  return run_until(config, model.get(), std::nullopt, stop, {});
}

int exit_code(const Result<>& done) { return done ? exit_done : report(done.error()); }

}  // namespace

Verb node_verb(StopToken stop) {
  const auto flags = std::make_shared<NodeFlags>();  // shared by the children
  const auto common = [flags](Flags& f) {
    f.path("--dir", flags->directory, "the cluster's folder (default: cluster in the configuration directory)");
    f.toggle("--json", flags->json, "one JSON document");
  };
  const auto agent_flags = std::make_shared<ServeFlags>();
  return {.name = "node",
          .summary = "run this machine's part of a cluster; join one, rotate its key",
          .example = "hearth node --model kimi.gguf",
          .declare =
              [agent_flags](Flags& f) {
                static constexpr std::array<std::string_view, 4> sections = {"worker", "store", "cluster", "log"};
                f.text("--model,-m", agent_flags->model, "GGUF file, or any shard of one: the one that is served");
                f.toggle("--lend", agent_flags->lend,
                         "lend this machine's memory to workers of others; needs no model (docs/pool.md)");
                f.toggle("--managed", agent_flags->managed,
                         "run what hearth up on the cluster's first machine assigns (docs/cluster.md)");
                declare_serve_flags(f, *agent_flags, sections);
              },
          .run = [agent_flags, stop] { return exit_code(run_agent(*agent_flags, stop)); },
          .children = {
              {.name = "join",
               .summary = "join a cluster with a code of hearth cluster invite",
               .example = "hearth node join 'hearth-1/studio@studio.local:7070/…' --name spark-1",
               .declare =
                   [flags, common](Flags& f) {
                     common(f);
                     f.text("code", flags->code, "the join code");
                     f.required();
                     f.text("--name", flags->machine,
                            "this machine's name (default: the invite's, or made of the host name)");
                     f.text("--address", flags->address, "HOST:PORT where other machines reach this one");
                   },
               .run = [flags, stop] { return exit_code(join(*flags, stop)); }},
              {.name = "rotate",
               .summary = "get a new key and certificate from the cluster's authority",
               .example = "hearth node rotate",
               .declare =
                   [flags, common](Flags& f) {
                     common(f);
                     f.text("--address", flags->at,
                            "HOST:PORT of the authority's machine (default: as the member list has it)");
                   },
               .run = [flags, stop] { return exit_code(rotate(*flags, stop)); }},
              probe_verb(stop)}};
}

}  // namespace hearth::cli
