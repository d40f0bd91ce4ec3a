#pragma once
// What a worker says of itself: what is loaded, and its counters.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "hearth/base/json.h"
#include "hearth/base/result.h"
#include "hearth/engine/buffer_log.h"
#include "hearth/engine/engine.h"
#include "hearth/engine/scheduler.h"
#include "hearth/model/adapter_set.h"
#include "hearth/model/layout_identity.h"

namespace hearth::node {

// What a worker computes with. `layers` of the model lie on it.
struct WorkerDevice {
  std::string name, description, kind;
  std::uint64_t memory_bytes = 0, free_bytes = 0;
  std::uint32_t layers = 0;
};
Json device_json(const WorkerDevice& device);
Result<WorkerDevice> device_from_json(const Json& json);
inline constexpr std::size_t devices_max = 64;
Json devices_json(const std::vector<WorkerDevice>& devices);
// The member "devices"; none when it is missing.
Result<std::vector<WorkerDevice>> devices_from_json(const Json& object);

struct WorkerInfo {
  std::string engine_version, engine_build, backend;
  std::string architecture, model_name;
  std::uint64_t parameters_total = 0, parameters_active = 0;
  std::uint32_t layers = 0;
  std::uint64_t model_bytes = 0, kv_bytes = 0;
  engine::BufferSizes buffers;  // what the engine allocated; zeros where it does not tell
  std::vector<WorkerDevice> devices;
  engine::EngineLimits limits;
  std::uint32_t chunk_tokens = 0;
  std::vector<model::NamedAdapters> adapter_sets;
  std::optional<model::LayoutIdentity> identity;  // of the bare model; absent: no KV transfer, see kv_refusal
  std::string kv_refusal;
  std::string chat_template;
  Token bos_token = -1;
  bool adds_bos = false;

  // Of the KV that the bare model, or one with an adapter set, computes. Nothing without an identity,
  // or for a set that there is not.
  std::optional<model::LayoutDigest> layout(std::string_view adapter = {}) const;
  // The set whose layout that is; empty: the bare model.
  std::optional<std::string> adapter_of(const model::LayoutDigest& layout) const;
};

Json info_json(const WorkerInfo& info);
Result<WorkerInfo> info_from_json(const Json& json);

Json stats_json(const engine::SchedulerStats& stats, std::uint64_t resident_bytes);

}  // namespace hearth::node
