#include "hearth/engine/synth/synth_adapter.h"

#include <fmt/format.h>

#include <cmath>

#include "hearth/engine/synth/gguf_writer.h"
#include "hearth/engine/synth/noise.h"
#include "hearth/model/adapter_files.h"

namespace hearth::engine {
namespace {

constexpr std::uint32_t rank_max = 1024;

TensorPlan noise_tensor(std::string name, std::array<std::size_t, 3> extents, double deviation, bool is_weight,
                        std::uint64_t seed) {
  const std::uint64_t own_seed = derived_seed(seed, name);
  return {.name = std::move(name), .extents = extents, .is_weight = is_weight,
          .fill = [own_seed, deviation](std::size_t row, std::span<float> out) {
            fill_normal(own_seed, row * out.size(), static_cast<float>(deviation), out);
          }};
}

void add_pair(std::vector<TensorPlan>& out, const model::GgufTensor& target, const AdapterSynthOptions& options) {
  const std::size_t rank = options.rank;
  const auto [columns, rows, planes, unused] = target.shape;
  const double a_deviation = 1 / std::sqrt(static_cast<double>(columns));
  const bool is_embedding = target.name == "token_embd.weight";
  const std::array<std::size_t, 3> a = is_embedding ? std::array<std::size_t, 3>{rank, rows, 1}
                                                    : std::array<std::size_t, 3>{columns, rank, planes};
  const std::array<std::size_t, 3> b = {rank, is_embedding ? columns : rows, planes};
  out.push_back(noise_tensor(target.name + ".lora_a", a, a_deviation, true, options.seed));
  out.push_back(noise_tensor(target.name + ".lora_b", b, options.strength, true, options.seed));
}

std::vector<TensorPlan> lora_tensors(const AdapterSynthOptions& options, const model::AdapterBase& base) {
  std::vector<TensorPlan> out;
  for (const model::ModelTensor& each : base.files.tensors) {
    const bool is_wanted = options.only_tensor.empty() || each.tensor.name == options.only_tensor;
    if (is_wanted && model::takes_lora(each.tensor, base)) add_pair(out, each.tensor, options);
  }
  return out;
}

std::vector<TensorPlan> control_tensors(const AdapterSynthOptions& options, const model::ModelShape& shape) {
  std::vector<TensorPlan> out;
  for (std::uint32_t layer = 1; layer < shape.layers; ++layer) {
    out.push_back(noise_tensor(fmt::format("direction.{}", layer), {shape.embedding, 1, 1}, options.strength, false,
                               options.seed));
  }
  return out;
}

Metadata lora_metadata(const AdapterSynthOptions& options, const model::ModelShape& shape) {
  return {{"general.architecture", shape.architecture},
          {"general.type", std::string("adapter")},
          {"general.name", fmt::format("Hearth synthetic LoRA, seed {}", options.seed)},
          {"adapter.type", std::string("lora")},
          {"adapter.lora.alpha", static_cast<float>(options.rank)}};
}

Metadata control_metadata(const model::ModelShape& shape) {
  return {{"general.architecture", std::string("controlvector")},
          {"controlvector.model_hint", shape.architecture},
          {"controlvector.layer_count", shape.layers}};
}

}  // namespace

Result<SynthReport> make_synthetic_adapter(const AdapterSynthOptions& options) {
  if (options.output.filename().empty()) return fail(Code::invalid_argument, "the output needs a file name");
  if (options.rank == 0 || options.rank > rank_max) {
    return fail(Code::invalid_argument, fmt::format("rank {}: expected 1 to {}", options.rank, rank_max));
  }
  const auto files = TRY(model::load_model_files(options.base));
  const auto shape = TRY(model::read_shape(files));
  const bool is_lora = options.kind == model::AdapterKind::lora;
  const auto tensors = is_lora ? lora_tensors(options, {files, shape}) : control_tensors(options, shape);
  if (tensors.empty()) {
    return fail(Code::invalid_argument,
                fmt::format("{} has nothing to adapt{}", options.base.string(),
                            options.only_tensor.empty() ? "" : " in " + options.only_tensor));
  }
  return write_gguf(options.output, WeightType::f16, is_lora ? lora_metadata(options, shape) : control_metadata(shape),
                    tensors, nullptr);
}

}  // namespace hearth::engine
