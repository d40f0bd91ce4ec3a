#pragma once
// What ggml's backends can compute with, and which of it the layers of a model are loaded on.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "hearth/base/result.h"
#include "hearth/engine/llama_engine.h"

struct ggml_backend_device;

namespace hearth::engine {

// NULL-terminated, as libllama wants it. Only the terminator: the CPU.
Result<std::vector<ggml_backend_device*>> choose_devices(const std::string& wanted);
// What this machine has, with the CPU.
std::vector<DeviceInfo> list_devices();

// Where each layer goes. libllama deals out the last gpu_layers of the model's layers and its output
// in proportion to `split`; whole numbers of layers there are dealt out exactly.
struct DevicePlacement {
  std::vector<ggml_backend_device*> devices;  // NULL-terminated
  std::vector<float> split;                   // empty: libllama's own proportions
  std::int32_t gpu_layers = -1;               // -1: all
  bool output_on_cpu = false;                 // with layers elsewhere and no other device here
  std::vector<DeviceInfo> described;
};
// Connects to the endpoints of options.remote. Layers there come in front of those of a device here
// and behind those of this machine's CPU; the output stays here.
Result<DevicePlacement> place_on_devices(const LlamaEngineOptions& options, std::uint32_t layer_count);

// Whether the CPU backend stores weights in buffers of that name.
bool cpu_has_buffers(std::string_view name);

}  // namespace hearth::engine
