#pragma once
// What ggml's backends can compute with, and which of it a model is loaded on.

#include <string>
#include <string_view>
#include <vector>

#include "hearth/base/result.h"
#include "hearth/engine/llama_engine.h"

struct ggml_backend_device;

namespace hearth::engine {

std::vector<DeviceInfo> list_devices();
// NULL-terminated, as libllama wants it. Only the terminator: the CPU.
Result<std::vector<ggml_backend_device*>> choose_devices(const std::string& wanted);
// Whether the CPU backend stores weights in buffers of that name.
bool cpu_has_buffers(std::string_view name);

}  // namespace hearth::engine
