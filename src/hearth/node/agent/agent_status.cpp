// What a machine of a cluster says of itself (GET /v1/status).

#include "hearth/node/agent/agent.h"

namespace hearth::node {
namespace {

Json worker_json(LocalModel& model) {
  Json crashes = Json::array();
  for (const cluster::CrashReport& report : model.keeper().crash_reports()) {
    crashes.push(Json::object({{"life", report.life}, {"lived_s", seconds(report.lived)}, {"how", report.how}}));
  }
  Json out = Json::object({{"running", model.is_ready()}, {"restarts", model.keeper().restarts()},
                           {"crashes", std::move(crashes)}});
  if (const auto stall = model.stall()) {
    out.set("stalled", Json::object({{"part", stall->part}, {"seconds", seconds(stall->lasted)},
                                     {"message", stall->what}}));
  }
  return out;
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
  if (lender_) {
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
  const kv::StoreStatistics store = model_->store()->statistics();
  out.set("machine", std::move(machine_json));
  out.set("worker", worker_json(*model_));
  out.set("peers", coordinator_ ? coordinator_->peers() : Json::array());
  out.set("hand_offs_waited_for", inbox_->size());
  out.set("hand_offs", counts_json(service_->counts()));
  out.set("store", Json::object({{"memory_bytes", store.memory_bytes}, {"disk_bytes", store.disk_bytes},
                                 {"disk_chunks", store.disk_chunks}, {"pinned_chunks", store.pinned_chunks}}));
  return out;
}

}  // namespace hearth::node
