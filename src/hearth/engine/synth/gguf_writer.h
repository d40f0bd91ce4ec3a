#pragma once
// Writes a planned model as a GGUF file, a few megabytes at a time.

#include "hearth/engine/synth/tensor_plan.h"

namespace hearth::engine {

Result<SynthReport> write_gguf(const std::filesystem::path& path, WeightType type,
                               const Metadata& metadata, const std::vector<TensorPlan>& tensors,
                               const ProgressFunction& progress);

}  // namespace hearth::engine
