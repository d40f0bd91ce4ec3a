#pragma once
// A run of token positions, end excluded.

#include <compare>
#include <cstdint>

namespace hearth {

struct TokenRange {
  std::uint32_t begin = 0;
  std::uint32_t end = 0;

  std::uint32_t count() const { return end > begin ? end - begin : 0; }
  bool is_empty() const { return end <= begin; }
  auto operator<=>(const TokenRange&) const = default;
};

}  // namespace hearth
