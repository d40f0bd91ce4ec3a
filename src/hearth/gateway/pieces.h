#pragma once
// Long texts that are known whole, cut so that no event of a stream is large.

#include <string_view>

#include "hearth/base/utf8.h"

namespace hearth::gateway {

inline constexpr std::size_t piece_bytes_max = 4096;

// Takes the next piece off the front; no character is cut. `rest` is not empty.
inline std::string_view take_piece(std::string_view& rest) {
  std::size_t size = complete_utf8_prefix(rest.substr(0, piece_bytes_max));
  if (size == 0) size = rest.size();
  const std::string_view piece = rest.substr(0, size);
  rest.remove_prefix(size);
  return piece;
}

}  // namespace hearth::gateway
