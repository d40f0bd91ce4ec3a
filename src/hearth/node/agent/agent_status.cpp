// What a machine of a cluster says of itself (GET /v1/status).

#include <system_error>

#include "hearth/node/agent/agent.h"
#include "hearth/node/probe/machine_probe.h"

namespace hearth::node {
namespace {

Json worker_json(const WorkerKeeper& keeper) {
  Json crashes = Json::array();
  for (const cluster::CrashReport& report : keeper.crash_reports()) {
    crashes.push(Json::object({{"life", report.life}, {"lived_s", seconds(report.lived)}, {"how", report.how}}));
  }
  Json out = Json::object({{"running", keeper.current() != nullptr}, {"restarts", keeper.restarts()},
                           {"crashes", std::move(crashes)}});
  if (const auto stall = keeper.stall()) {
    const Instant now = std::chrono::steady_clock::now();
    out.set("stalled", Json::object({{"part", cluster::stall_part_name(stall->part)},
                                     {"seconds", seconds(now - stall->since)},
                                     {"message", cluster::stall_text(*stall, now)}}));
  }
  return out;
}

Json pool_json(GatheredPrefiller& pool) {
  Json out = worker_json(pool.keeper());
  out.set("name", pool.name());
  return out;
}

Json memory_json() {
  const MachineFacts facts = machine_facts();
  Json out = Json::object({{"total_bytes", facts.memory_bytes}});
  if (facts.available_bytes > 0) out.set("available_bytes", facts.available_bytes);
  return out;
}

Json store_json(const LocalModel& model, const kv::StoreStatistics& store) {
  Json out = Json::object({{"memory_bytes", store.memory_bytes}, {"disk_bytes", store.disk_bytes},
                           {"disk_chunks", store.disk_chunks}, {"pinned_chunks", store.pinned_chunks}});
  std::error_code error;
  const auto space = std::filesystem::space(model.store_directory(), error);
  if (!error) out.set("disk_free_bytes", std::uint64_t{space.available});
  return out;
}

// With its free memory as it was when that was loaded or started.
void tell_engine(Json& machine, std::string_view build, const std::vector<WorkerDevice>& devices) {
  machine.set("engine_build", build);
  machine.set("devices", devices_json(devices));
}

}  // namespace

Json Agent::assignment_status() const {
  return Json::object({{"digest", config_.assignments->digest}, {"trouble", config_.assignments->trouble}});
}

Json Agent::status() const {
  Json machine_json = Json::object({{"name", machine()}, {"address", address().text()},
                                    {"coordinates", coordinator_ != nullptr}});
  Json out = Json::object();
  if (coordinator_) machine_json.set("prefill", std::string(cluster::prefill_policy_name(coordinator_->policy())));
  out.set("memory", memory_json());
  if (Json answers = answers_.with([](const auto& known) { return known ? known() : Json(); }); !answers.is_null()) {
    out.set("answers", std::move(answers));
  }
  if (lender_) {
    if (const auto facts = lender_->facts()) {
      machine_json.set("engine", facts->engine.version);
      tell_engine(machine_json, facts->engine.build, facts->engine.devices);
    }
    out.set("lends", Json::object({{"tunnel_port", lender_->tunnel_port()}, {"used_by", lender_->used_by()},
                                   {"rpc_restarts", lender_->restarts()}}));
  }
  if (config_.assignments) out.set("assignment", assignment_status());
  out.set("requests", Json::array());
  if (model_ == nullptr) {
    out.set("machine", std::move(machine_json));
    return out;
  }
  Json requests = service_->running();
  for (Json& one : inbox_->open()) requests.push(std::move(one));
  out.set("requests", std::move(requests));
  if (const auto facts = service_->facts()) {
    machine_json.set("model", facts->model_name);
    machine_json.set("backend", facts->backend);
    machine_json.set("engine", facts->engine_version);
    machine_json.set("prefills_running", facts->prefills_running);
  }
  if (const auto worker = model_->keeper().current()) {
    tell_engine(machine_json, worker->info.engine_build, worker->info.devices);
  }
  out.set("machine", std::move(machine_json));
  out.set("worker", worker_json(model_->keeper()));
  if (config_.pool != nullptr) out.set("pool", pool_json(*config_.pool));
  out.set("peers", coordinator_ ? coordinator_->peers() : Json::array());
  out.set("hand_offs_waited_for", inbox_->size());
  out.set("hand_offs", counts_json(service_->counts()));
  out.set("store", store_json(*model_, model_->store()->statistics()));
  return out;
}

}  // namespace hearth::node
