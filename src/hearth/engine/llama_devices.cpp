#include "hearth/engine/llama_devices.h"

#include <fmt/format.h>
#include <ggml-backend.h>

namespace hearth::engine {
namespace {

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

}  // namespace

std::vector<DeviceInfo> list_devices() {
  std::vector<DeviceInfo> out;
  for (std::size_t i = 0; i < ggml_backend_dev_count(); ++i) {
    ggml_backend_dev_t device = ggml_backend_dev_get(i);
    std::size_t free_bytes = 0;
    std::size_t total_bytes = 0;
    ggml_backend_dev_memory(device, &free_bytes, &total_bytes);
    out.push_back({ggml_backend_dev_name(device), ggml_backend_dev_description(device),
                   std::string(device_kind(device)), total_bytes});
  }
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
