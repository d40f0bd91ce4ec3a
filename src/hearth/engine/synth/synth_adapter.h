#pragma once
// Synthetic adapters for a model file: what they make a model write means nothing, but it is
// something else, and the same for the same options.

#include <cstdint>
#include <filesystem>

#include "hearth/base/result.h"
#include "hearth/engine/synth/synth.h"
#include "hearth/model/adapter_set.h"

namespace hearth::engine {

struct AdapterSynthOptions {
  model::AdapterKind kind = model::AdapterKind::lora;
  std::filesystem::path base;  // the model, or any shard
  std::uint32_t rank = 4;      // of a LoRA
  // LoRA: its updates are about so many times twice as large as random weights. Control vector: what is
  // added to each number.
  double strength = 0.5;
  std::string only_tensor;     // of a LoRA: that one alone; empty: every tensor that takes one
  std::uint64_t seed = 1;
  std::filesystem::path output;
};

Result<SynthReport> make_synthetic_adapter(const AdapterSynthOptions& options);

}  // namespace hearth::engine
