#include "hearth/engine/synth/synth.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>
#include <optional>
#include <utility>

#include "hearth/base/check.h"
#include "hearth/engine/synth/gguf_writer.h"
#include "hearth/engine/synth/weights.h"

namespace hearth::engine {
namespace {

template <class Value, std::size_t count>
using Words = std::array<std::pair<std::string_view, Value>, count>;

constexpr Words<Architecture, 5> kArchitectures = {{{"kimi", Architecture::kimi},
                                                    {"qwen3moe", Architecture::qwen3moe},
                                                    {"llama", Architecture::llama},
                                                    {"gpt-oss", Architecture::gpt_oss},
                                                    {"qwen35moe", Architecture::qwen35moe}}};
constexpr Words<Size, 3> kSizes = {
    {{"tiny", Size::tiny}, {"small", Size::small}, {"medium", Size::medium}}};
constexpr Words<WeightType, 4> kTypes = {{{"f16", WeightType::f16},
                                          {"q8_0", WeightType::q8_0},
                                          {"q4_k", WeightType::q4_k},
                                          {"q2_k", WeightType::q2_k}}};
constexpr Words<Weights, 2> kWeights = {
    {{"random", Weights::random}, {"retrieval", Weights::retrieval}}};

template <class Value, std::size_t count>
Result<Value> parse(const Words<Value, count>& words, std::string_view what,
                    std::string_view word) {
  std::array<std::string_view, count> allowed;
  for (std::size_t i = 0; i < count; ++i) {
    if (words[i].first == word) return words[i].second;
    allowed[i] = words[i].first;
  }
  return fail(Code::invalid_argument, fmt::format("unknown {} \"{}\"; allowed are {}", what, word,
                                                  fmt::join(allowed, ", ")));
}

template <class Value, std::size_t count>
std::string_view word_in(const Words<Value, count>& words, Value value) {
  for (const auto& [word, other] : words) {
    if (other == value) return word;
  }
  CHECK(!"a value with a word");
  return {};
}

}  // namespace

Result<Architecture> parse_architecture(std::string_view word) {
  return parse(kArchitectures, "architecture", word);
}
Result<Size> parse_size(std::string_view word) { return parse(kSizes, "size", word); }
Result<WeightType> parse_weight_type(std::string_view word) {
  return parse(kTypes, "weight type", word);
}
Result<Weights> parse_weights(std::string_view word) { return parse(kWeights, "weights", word); }

std::string_view word_of(Architecture architecture) {
  return word_in(kArchitectures, architecture);
}
std::string_view word_of(Size size) { return word_in(kSizes, size); }
std::string_view word_of(WeightType type) { return word_in(kTypes, type); }
std::string_view word_of(Weights weights) { return word_in(kWeights, weights); }

Result<SynthReport> make_synthetic_model(const SynthOptions& options,
                                         const ProgressFunction& progress) {
  if (options.output.filename().empty()) {
    return fail(Code::invalid_argument, "the output needs a file name");
  }
  const Shape shape = shape_of(options.architecture, options.size);
  if (options.weights == Weights::retrieval && !shape.has_circuit()) {
    return fail(Code::invalid_argument,
                fmt::format("there are no retrieval weights for {}: ask for random ones",
                            word_of(options.architecture)));
  }
  const Vocabulary vocabulary = vocabulary_of(options.architecture);
  std::optional<Circuit> circuit;
  if (options.weights == Weights::retrieval) circuit.emplace(shape, vocabulary, options.seed);
  const std::vector<TensorPlan> tensors =
      plan_tensors(shape, circuit ? &*circuit : nullptr, options.seed);
  return write_gguf(options.output, options.type, metadata_of(options, shape, vocabulary), tensors,
                    progress);
}

}  // namespace hearth::engine
