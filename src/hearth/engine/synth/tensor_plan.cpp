#include "hearth/engine/synth/tensor_plan.h"

#include <algorithm>
#include <cmath>

#include "hearth/engine/synth/noise.h"

namespace hearth::engine {

void TensorList::add_random(std::string name, std::array<std::size_t, 3> extents, bool is_weight) {
  const std::uint64_t seed = derived_seed(seed_, name);
  const std::size_t length = extents[0];
  const auto deviation = static_cast<float>(1.0 / std::sqrt(static_cast<double>(length)));
  tensors_.push_back({std::move(name), extents, is_weight,
                      [=](std::size_t row, std::span<float> out) {
                        fill_normal(seed, row * length, deviation, out);
                      }});
}

void TensorList::add_constant(std::string name, std::array<std::size_t, 3> extents, float value,
                              bool is_weight) {
  tensors_.push_back({std::move(name), extents, is_weight,
                      [value](std::size_t, std::span<float> out) {
                        std::fill(out.begin(), out.end(), value);
                      }});
}

void TensorList::add_matrix(std::string name, std::array<std::size_t, 3> extents, Matrix matrix) {
  CHECK(matrix.columns() == extents[0] && matrix.rows() == extents[1] * extents[2]);
  const auto shared = std::make_shared<const Matrix>(std::move(matrix));
  tensors_.push_back({std::move(name), extents, true,
                      [shared](std::size_t row, std::span<float> out) {
                        const std::span<const float> values = shared->row(row);
                        std::copy(values.begin(), values.end(), out.begin());
                      }});
}

}  // namespace hearth::engine
