#pragma once
// A dense matrix and a random orthogonal map, for building weights by hand.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "hearth/base/check.h"

namespace hearth::engine {

class Matrix {
 public:
  Matrix(std::size_t rows, std::size_t columns)
      : rows_(rows), columns_(columns), values_(rows * columns, 0.0F) {}
  std::size_t rows() const { return rows_; }
  std::size_t columns() const { return columns_; }
  float& at(std::size_t row, std::size_t column) {
    CHECK(row < rows_ && column < columns_);
    return values_[row * columns_ + column];
  }
  std::span<float> row(std::size_t row) {
    CHECK(row < rows_);
    return std::span(values_).subspan(row * columns_, columns_);
  }
  std::span<const float> row(std::size_t row) const {
    CHECK(row < rows_);
    return std::span(values_).subspan(row * columns_, columns_);
  }

 private:
  std::size_t rows_;
  std::size_t columns_;
  std::vector<float> values_;
};

// x -> H S2 H S1 x with random signs S and the Hadamard matrix H: orthogonal, spreads every
// coordinate over all of them, costs n log n. The width is a power of two.
class Rotation {
 public:
  Rotation(std::size_t width, std::uint64_t seed);
  std::size_t width() const { return first_signs_.size(); }
  void apply(std::span<float> vector) const;

 private:
  std::vector<float> first_signs_;
  std::vector<float> second_signs_;
};

// The matrix reads from a rotated space: every row becomes R * row.
void rotate_inputs(Matrix& matrix, const Rotation& rotation);
// Only the columns [first, first + rotation.width()).
void rotate_inputs(Matrix& matrix, const Rotation& rotation, std::size_t first_column);
// The matrix writes to a rotated space: its rows [first_row, first_row + width) become R * rows.
void rotate_outputs(Matrix& matrix, const Rotation& rotation, std::size_t first_row = 0);

}  // namespace hearth::engine
