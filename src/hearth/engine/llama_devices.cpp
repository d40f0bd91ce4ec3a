#include "hearth/engine/llama_devices.h"

#include <fmt/format.h>
#include <ggml-backend.h>

#include <algorithm>
#include <fstream>
#include <span>

#include "hearth/engine/llama_rpc.h"

namespace hearth::engine {
namespace {

constexpr std::size_t llama_devices_max = 16;  // llama_max_devices()

std::string_view device_kind(ggml_backend_dev_t device) {
  switch (ggml_backend_dev_type(device)) {
    case GGML_BACKEND_DEVICE_TYPE_CPU: return "cpu";
    case GGML_BACKEND_DEVICE_TYPE_GPU: return "gpu";
    case GGML_BACKEND_DEVICE_TYPE_IGPU: return "gpu, shared memory";
    default: return "accelerator";
  }
}

bool computes(ggml_backend_dev_t device) {
  const auto type = ggml_backend_dev_type(device);
  return type == GGML_BACKEND_DEVICE_TYPE_GPU || type == GGML_BACKEND_DEVICE_TYPE_IGPU;
}

// ggml calls all of a CPU's memory free. What the system could give without swapping; 0: not known.
std::uint64_t available_bytes() {
  constexpr std::string_view key = "MemAvailable:";
  std::ifstream file("/proc/meminfo");
  std::string word;
  std::uint64_t kibibytes = 0;
  while (file >> word) {
    if (word == key && file >> kibibytes) return kibibytes * 1024;
  }
  return 0;
}

DeviceInfo describe(ggml_backend_dev_t device) {
  std::size_t free_bytes = 0;
  std::size_t total_bytes = 0;
  ggml_backend_dev_memory(device, &free_bytes, &total_bytes);
  if (ggml_backend_dev_type(device) == GGML_BACKEND_DEVICE_TYPE_CPU) {
    if (const std::uint64_t available = available_bytes(); available > 0) free_bytes = available;
  }
  return {.name = ggml_backend_dev_name(device), .description = ggml_backend_dev_description(device),
          .kind = std::string(device_kind(device)), .memory_bytes = total_bytes,
          .free_bytes = free_bytes, .layers = 0};
}

// Deals `layers` out in proportion to the devices' memory; what is over goes to the last.
void deal(std::span<ggml_backend_device* const> devices, std::uint32_t layers, std::string_view kind,
          DevicePlacement& out) {
  std::vector<DeviceInfo> described;
  double memory_bytes = 0;
  for (ggml_backend_device* device : devices) {
    described.push_back(describe(device));
    if (!kind.empty()) described.back().kind = kind;
    memory_bytes += static_cast<double>(described.back().memory_bytes);
  }
  std::uint32_t left = layers;
  for (std::size_t i = 0; i < devices.size(); ++i) {
    const double part = memory_bytes > 0 ? static_cast<double>(described[i].memory_bytes) / memory_bytes : 0;
    described[i].layers = i + 1 == devices.size() ? left : std::min(left, static_cast<std::uint32_t>(layers * part));
    left -= described[i].layers;
    out.devices.push_back(devices[i]);
    out.split.push_back(static_cast<float>(described[i].layers));
    out.described.push_back(std::move(described[i]));
  }
}

}  // namespace

std::vector<DeviceInfo> list_devices() {
  std::vector<DeviceInfo> out;
  for (std::size_t i = 0; i < ggml_backend_dev_count(); ++i) out.push_back(describe(ggml_backend_dev_get(i)));
  return out;
}

Result<std::vector<ggml_backend_device*>> choose_devices(const std::string& wanted) {
  std::vector<ggml_backend_device*> out;
  std::string names = "cpu";
  for (std::size_t i = 0; i < ggml_backend_dev_count(); ++i) {
    ggml_backend_dev_t device = ggml_backend_dev_get(i);
    if (!computes(device)) continue;
    names += fmt::format(", {}", ggml_backend_dev_name(device));
    if (wanted == "auto" || wanted == ggml_backend_dev_name(device)) out.push_back(device);
  }
  if (out.empty() && wanted != "auto" && wanted != "cpu") {
    return fail(Code::not_found,
                fmt::format("no device named '{}' here; there is: {}", wanted, names));
  }
  out.push_back(nullptr);
  return out;
}

Result<DevicePlacement> place_on_devices(const LlamaEngineOptions& options, std::uint32_t layer_count) {
  std::vector<ggml_backend_device*> local = TRY(choose_devices(options.device));
  local.pop_back();
  DevicePlacement out;
  if (options.remote.empty()) {
    out.devices = local;
    out.devices.push_back(nullptr);
    out.gpu_layers = local.empty() ? 0 : -1;
    out.described = list_devices();
    return out;
  }
  std::uint32_t remote_layers = 0;
  for (const RemoteLayers& remote : options.remote) {
    if (remote.layers == 0 || remote.layers > layer_count - remote_layers) {
      return fail(Code::invalid_argument,
                  fmt::format("{}: {} layers cannot lie there; the model has {}, of which {} lie elsewhere",
                              remote.endpoint, remote.layers, layer_count, remote_layers));
    }
    remote_layers += remote.layers;
    const auto devices = TRY(connect_rpc(remote.endpoint));
    deal(devices, remote.layers, "remote", out);
  }
  const std::uint32_t local_layers = layer_count - remote_layers;
  if (local.empty()) {
    // The last layer dealt out is the output: its weights are moved to the CPU one by one.
    out.split.back() += 1;
    out.gpu_layers = static_cast<std::int32_t>(remote_layers) + 1;
    out.output_on_cpu = true;
    out.described.insert(out.described.begin(), describe(ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU)));
    out.described.front().layers = local_layers;
  } else {
    deal(local, local_layers, {}, out);
    out.split.back() += 1;
    out.gpu_layers = static_cast<std::int32_t>(layer_count) + 1;
  }
  if (out.devices.size() > llama_devices_max) {
    return fail(Code::unsupported, fmt::format("{} devices; the engine uses at most {}", out.devices.size(),
                                               llama_devices_max));
  }
  out.devices.push_back(nullptr);
  return out;
}

bool cpu_has_buffers(std::string_view name) {
  ggml_backend_dev_t cpu = ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU);
  if (cpu == nullptr) return false;
  const auto extra_buffers = reinterpret_cast<ggml_backend_dev_get_extra_bufts_t>(
      ggml_backend_reg_get_proc_address(ggml_backend_dev_backend_reg(cpu),
                                        "ggml_backend_dev_get_extra_bufts"));
  if (extra_buffers == nullptr) return false;
  for (auto* type = extra_buffers(cpu); type != nullptr && *type != nullptr; ++type) {
    const std::string_view found = ggml_backend_buft_name(*type);
    if (found.find(name) != std::string_view::npos) return true;
  }
  return false;
}

}  // namespace hearth::engine
