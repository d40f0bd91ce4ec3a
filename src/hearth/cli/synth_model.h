#pragma once
// Makes a synthetic model, or an adapter for one, by way of hearth-worker, which alone links the inference library.

#include <filesystem>
#include <string>

#include "hearth/base/json.h"
#include "hearth/base/result.h"
#include "hearth/base/stop.h"
#include "hearth/cli/progress.h"

namespace hearth::cli {

struct SynthModelOptions {
  std::string architecture = "kimi", size = "tiny", type = "q8_0", weights = "retrieval";
  std::uint64_t seed = 1;
  std::filesystem::path output;
};

struct SynthAdapterOptions {
  std::filesystem::path base, output;
  bool control_vector = false;
  std::uint32_t rank = 4;
  double strength = 0.5;
  std::uint64_t seed = 1;
};

// {"file_bytes", "parameters"}. Cancelling ends the maker; no half file stays under `output`.
Result<Json> make_model(const SynthModelOptions& options, Progress& progress, const StopToken& stop);
Result<Json> make_adapter(const SynthAdapterOptions& options, Progress& progress, const StopToken& stop);

}  // namespace hearth::cli
