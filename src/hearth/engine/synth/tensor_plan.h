#pragma once
// What goes into the file: metadata and tensors, in order, without any third-party type. A tensor
// is described by how to fill one row, so that no model is ever whole in memory.

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "hearth/engine/synth/matrix.h"
#include "hearth/engine/synth/shape.h"
#include "hearth/engine/synth/vocabulary.h"

namespace hearth::engine {

// May be called from several threads at a time.
using FillRow = std::function<void(std::size_t row, std::span<float> out)>;

struct TensorPlan {
  std::string name;
  // Length of a row, rows, planes of rows; the fastest first, as GGUF has it.
  std::array<std::size_t, 3> extents = {1, 1, 1};
  bool is_weight = true;  // stored in the weight type; otherwise as f32
  FillRow fill;

  std::size_t row_count() const { return extents[1] * extents[2]; }
  std::size_t value_count() const { return extents[0] * row_count(); }
};

using MetadataValue = std::variant<std::uint32_t, std::uint64_t, float, bool, std::string,
                                   std::vector<std::string>, std::vector<std::int32_t>>;
using Metadata = std::vector<std::pair<std::string, MetadataValue>>;

Metadata metadata_of(const SynthOptions& options, const Shape& shape,
                     const Vocabulary& vocabulary);

class TensorList {
 public:
  explicit TensorList(std::uint64_t seed) : seed_(seed) {}
  // Normal with standard deviation 1/sqrt(length of a row).
  void add_random(std::string name, std::array<std::size_t, 3> extents, bool is_weight = true);
  void add_constant(std::string name, std::array<std::size_t, 3> extents, float value,
                    bool is_weight);
  // The rows of all planes one after another.
  void add_matrix(std::string name, std::array<std::size_t, 3> extents, Matrix matrix);
  std::vector<TensorPlan> take() { return std::move(tensors_); }

 private:
  std::uint64_t seed_;
  std::vector<TensorPlan> tensors_;
};

}  // namespace hearth::engine
