#include "hearth/engine/synth/matrix.h"

#include <bit>
#include <cmath>

#include "hearth/engine/synth/noise.h"

namespace hearth::engine {
namespace {

std::vector<float> random_signs(std::size_t width, std::uint64_t seed) {
  std::vector<float> signs(width);
  for (std::size_t i = 0; i < width; ++i) signs[i] = (bits_at(seed, i) >> 63) != 0 ? 1.0F : -1.0F;
  return signs;
}

void hadamard(std::span<float> vector) {
  const std::size_t width = vector.size();
  for (std::size_t half = 1; half < width; half *= 2) {
    for (std::size_t block = 0; block < width; block += 2 * half) {
      for (std::size_t i = block; i < block + half; ++i) {
        const float a = vector[i];
        const float b = vector[i + half];
        vector[i] = a + b;
        vector[i + half] = a - b;
      }
    }
  }
}

}  // namespace

Rotation::Rotation(std::size_t width, std::uint64_t seed)
    : first_signs_(random_signs(width, derived_seed(seed, "first"))),
      second_signs_(random_signs(width, derived_seed(seed, "second"))) {
  CHECK(std::has_single_bit(width));
}

void Rotation::apply(std::span<float> vector) const {
  CHECK(vector.size() == width());
  // Two Hadamard transforms, each scaled by 1/sqrt(width).
  const float scale = 1.0F / static_cast<float>(width());
  for (std::size_t i = 0; i < vector.size(); ++i) vector[i] *= first_signs_[i] * scale;
  hadamard(vector);
  for (std::size_t i = 0; i < vector.size(); ++i) vector[i] *= second_signs_[i];
  hadamard(vector);
}

void rotate_inputs(Matrix& matrix, const Rotation& rotation) {
  CHECK(matrix.columns() == rotation.width());
  rotate_inputs(matrix, rotation, 0);
}

void rotate_inputs(Matrix& matrix, const Rotation& rotation, std::size_t first_column) {
  for (std::size_t row = 0; row < matrix.rows(); ++row) {
    rotation.apply(matrix.row(row).subspan(first_column, rotation.width()));
  }
}

void rotate_outputs(Matrix& matrix, const Rotation& rotation, std::size_t first_row) {
  std::vector<float> column(rotation.width());
  for (std::size_t c = 0; c < matrix.columns(); ++c) {
    for (std::size_t r = 0; r < column.size(); ++r) column[r] = matrix.at(first_row + r, c);
    rotation.apply(column);
    for (std::size_t r = 0; r < column.size(); ++r) matrix.at(first_row + r, c) = column[r];
  }
}

}  // namespace hearth::engine
