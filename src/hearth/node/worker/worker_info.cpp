#include "hearth/node/worker/worker_info.h"

#include <fmt/format.h>

#include <algorithm>

namespace hearth::node {

std::optional<model::LayoutDigest> WorkerInfo::layout(std::string_view adapter) const {
  if (!identity) return {};
  if (adapter.empty()) return model::layout_digest(*identity);
  const auto set = std::ranges::find(adapter_sets, adapter, &model::NamedAdapters::name);
  if (set == adapter_sets.end()) return {};
  model::LayoutIdentity with_set = *identity;
  with_set.adapters = set->adapters;
  return model::layout_digest(with_set);
}

std::optional<std::string> WorkerInfo::adapter_of(const model::LayoutDigest& wanted) const {
  if (layout() == wanted) return "";
  for (const model::NamedAdapters& set : adapter_sets) {
    if (layout(set.name) == wanted) return set.name;
  }
  return {};
}

Json device_json(const WorkerDevice& device) {
  return Json::object({{"name", device.name}, {"description", device.description}, {"kind", device.kind},
                       {"memory_bytes", device.memory_bytes}, {"free_bytes", device.free_bytes},
                       {"layers", device.layers}});
}

Result<WorkerDevice> device_from_json(const Json& json) {
  WorkerDevice out;
  out.name = TRY(get<std::string>(json, "name"));
  out.description = TRY(get<std::string>(json, "description"));
  out.kind = TRY(get<std::string>(json, "kind"));
  out.memory_bytes = TRY(get<std::uint64_t>(json, "memory_bytes"));
  out.free_bytes = TRY(get<std::uint64_t>(json, "free_bytes"));
  out.layers = TRY(get_or<std::uint32_t>(json, "layers", 0));
  return out;
}

Json devices_json(const std::vector<WorkerDevice>& devices) {
  Json out = Json::array();
  for (const WorkerDevice& device : devices) out.push(device_json(device));
  return out;
}

Result<std::vector<WorkerDevice>> devices_from_json(const Json& object) {
  std::vector<WorkerDevice> out;
  const Json* list = object.find("devices");
  if (list == nullptr) return out;
  if (!list->is_array() || list->as_array().size() > devices_max) {
    return fail(Code::invalid_argument, fmt::format("devices: expected a list of at most {}", devices_max));
  }
  for (const Json& item : list->as_array()) out.push_back(TRY(device_from_json(item)));
  return out;
}

Json info_json(const WorkerInfo& info) {
  Json out = Json::object(
      {{"engine", Json::object({{"version", info.engine_version}, {"build", info.engine_build},
                                {"backend", info.backend}})},
       {"model", Json::object({{"architecture", info.architecture}, {"name", info.model_name},
                               {"parameters_total", info.parameters_total},
                               {"parameters_active", info.parameters_active},
                               {"layers", info.layers}, {"bytes", info.model_bytes}})},
       {"limits", Json::object({{"context_tokens", info.limits.context_tokens},
                                {"batch_tokens", info.limits.batch_tokens},
                                {"ubatch_tokens", info.limits.ubatch_tokens},
                                {"score_rows", info.limits.score_rows},
                                {"sequences", info.limits.sequences},
                                {"vocabulary", info.limits.vocabulary},
                                {"is_append_only", info.limits.is_append_only},
                                {"has_recurrent_state", info.limits.has_recurrent_state}})},
       {"devices", devices_json(info.devices)},
       {"adapter_sets", model::named_adapters_json(info.adapter_sets)},
       {"chunk_tokens", info.chunk_tokens},
       {"kv_bytes", info.kv_bytes},
       {"buffers", Json::object({{"weights_bytes", info.buffers.weights_bytes},
                                 {"kv_bytes", info.buffers.kv_bytes},
                                 {"compute_bytes", info.buffers.compute_bytes},
                                 {"output_bytes", info.buffers.output_bytes}})},
       {"kv_refusal", info.kv_refusal},
       {"chat_template", info.chat_template},
       {"bos_token", info.bos_token},
       {"adds_bos", info.adds_bos}});
  if (info.identity) {
    out.set("layout", info.layout()->hex());
    out.set("identity", model::identity_json(*info.identity));
  }
  return out;
}

Result<WorkerInfo> info_from_json(const Json& json) {
  WorkerInfo out;
  const Json nothing = Json::object();
  const auto part = [&](std::string_view key) -> const Json& {
    const Json* found = json.find(key);
    return found != nullptr ? *found : nothing;
  };
  const Json& engine = part("engine");
  out.engine_version = TRY(get<std::string>(engine, "version"));
  out.engine_build = TRY(get<std::string>(engine, "build"));
  out.backend = TRY(get<std::string>(engine, "backend"));
  const Json& model = part("model");
  out.architecture = TRY(get<std::string>(model, "architecture"));
  out.model_name = TRY(get<std::string>(model, "name"));
  out.parameters_total = TRY(get<std::uint64_t>(model, "parameters_total"));
  out.parameters_active = TRY(get<std::uint64_t>(model, "parameters_active"));
  out.layers = TRY(get<std::uint32_t>(model, "layers"));
  out.model_bytes = TRY(get<std::uint64_t>(model, "bytes"));
  const Json& limits = part("limits");
  out.limits.context_tokens = TRY(get<std::uint32_t>(limits, "context_tokens"));
  out.limits.batch_tokens = TRY(get<std::uint32_t>(limits, "batch_tokens"));
  out.limits.ubatch_tokens = TRY(get<std::uint32_t>(limits, "ubatch_tokens"));
  out.limits.score_rows = TRY(get_or<std::uint32_t>(limits, "score_rows", 0));
  out.limits.sequences = TRY(get<std::uint32_t>(limits, "sequences"));
  out.limits.vocabulary = TRY(get<std::uint32_t>(limits, "vocabulary"));
  out.limits.is_append_only = TRY(get_or<bool>(limits, "is_append_only", false));
  out.limits.has_recurrent_state = TRY(get_or<bool>(limits, "has_recurrent_state", false));
  out.devices = TRY(devices_from_json(json));
  out.adapter_sets = TRY(model::named_adapters_from_json(json));
  out.chunk_tokens = TRY(get<std::uint32_t>(json, "chunk_tokens"));
  out.kv_bytes = TRY(get<std::uint64_t>(json, "kv_bytes"));
  const Json& buffers = part("buffers");
  out.buffers.weights_bytes = TRY(get_or<std::uint64_t>(buffers, "weights_bytes", 0));
  out.buffers.kv_bytes = TRY(get_or<std::uint64_t>(buffers, "kv_bytes", 0));
  out.buffers.compute_bytes = TRY(get_or<std::uint64_t>(buffers, "compute_bytes", 0));
  out.buffers.output_bytes = TRY(get_or<std::uint64_t>(buffers, "output_bytes", 0));
  out.kv_refusal = TRY(get_or<std::string>(json, "kv_refusal", {}));
  out.chat_template = TRY(get_or<std::string>(json, "chat_template", {}));
  out.bos_token = static_cast<Token>(TRY(get<std::int64_t>(json, "bos_token")));
  out.adds_bos = TRY(get<bool>(json, "adds_bos"));
  if (const Json* identity = json.find("identity")) {
    out.identity = TRY(model::identity_from_json(*identity));
  }
  return out;
}

Json stats_json(const engine::SchedulerStats& stats, std::uint64_t resident_bytes) {
  return Json::object({{"jobs_started", stats.jobs_started},
                       {"jobs_finished", stats.jobs_finished},
                       {"jobs_failed", stats.jobs_failed},
                       {"jobs_cancelled", stats.jobs_cancelled},
                       {"jobs_running", stats.jobs_running},
                       {"jobs_pending", stats.jobs_pending},
                       {"prompt_tokens_computed", stats.prompt_tokens_computed},
                       {"prompt_tokens_reused", stats.prompt_tokens_reused},
                       {"answer_tokens", stats.answer_tokens},
                       {"states_exported", stats.states_exported},
                       {"states_imported", stats.states_imported},
                       {"states_refused", stats.states_refused},
                       {"slots_busy", stats.slots_busy},
                       {"slots_leased", stats.slots_leased},
                       {"tokens_held", stats.tokens_held},
                       {"resident_bytes", resident_bytes}});
}

}  // namespace hearth::node
