#pragma once
// Synthetic models: small GGUF files of the architectures that Hearth serves, made here so that
// tests, the demo and measurements need no download. With `retrieval` weights the model really
// answers from its context (docs/synthetic_models.md); with `random` weights it only computes.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string_view>

#include "hearth/base/result.h"

namespace hearth::engine {

// gpt_oss slides: every second layer keeps a window. qwen35moe is hybrid: every second layer keeps a
// recurrent state instead of KV. These two have random weights only.
enum class Architecture : std::uint8_t { kimi, qwen3moe, llama, gpt_oss, qwen35moe };
enum class Size : std::uint8_t { tiny, small, medium };
enum class WeightType : std::uint8_t { f16, q8_0, q4_k, q2_k };
enum class Weights : std::uint8_t { random, retrieval };

// The words of the command line. An unknown word is invalid_argument and lists the allowed ones.
Result<Architecture> parse_architecture(std::string_view word);
Result<Size> parse_size(std::string_view word);
Result<WeightType> parse_weight_type(std::string_view word);
Result<Weights> parse_weights(std::string_view word);
std::string_view word_of(Architecture architecture);
std::string_view word_of(Size size);
std::string_view word_of(WeightType type);
std::string_view word_of(Weights weights);

struct SynthOptions {
  Architecture architecture = Architecture::kimi;
  Size size = Size::tiny;
  WeightType type = WeightType::q8_0;
  Weights weights = Weights::retrieval;
  std::uint64_t seed = 1;
  std::filesystem::path output = {};
};

struct SynthReport {
  std::uint64_t file_bytes = 0;
  std::uint64_t parameters = 0;
};

// `fraction` runs from 0 to 1. Called from the thread that called make_synthetic_model.
using ProgressFunction = std::function<void(double fraction)>;

// Writes the model; the same options give the same bytes. The file appears under its name only
// when it is whole. Uses two threads and some 100 MB of memory; needs no loaded backend.
Result<SynthReport> make_synthetic_model(const SynthOptions& options,
                                         const ProgressFunction& progress);

}  // namespace hearth::engine
