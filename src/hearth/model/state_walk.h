#pragma once
// Private to state_layout*.cpp: walks a state blob word by word; each step is bounds-checked and
// says where it failed.

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "hearth/base/bytes.h"
#include "hearth/base/result.h"
#include "hearth/model/state_layout.h"

namespace hearth::model {

// Cells that a cache writes for a run of `token_count` positions.
inline std::uint32_t cells_in(const CacheLayout& cache, std::uint32_t token_count) {
  return cache.window_tokens == 0 ? token_count : std::min(token_count, cache.window_tokens);
}

inline void zero_word(std::span<std::byte> blob, std::size_t offset) {
  std::memset(blob.data() + offset, 0, sizeof(std::uint32_t));
}

struct LayerHeader {
  std::size_t offset = 0;
  std::uint32_t type = 0;
  std::uint64_t row_bytes = 0;
  std::uint32_t element_bytes = 0;  // transposed V only
};

class StateWalk {
 public:
  explicit StateWalk(ByteSpan blob) : reader_(blob) {}

  std::size_t position() const { return reader_.position(); }

  Result<std::uint32_t> word(std::string_view what) { return reader_.read<std::uint32_t>(what); }
  Result<> expect_word(std::string_view what, std::uint32_t expected) {
    const std::uint32_t found = TRY(word(what));
    if (found == expected) return {};
    return fail(Code::corrupt, fmt::format("state blob, offset {}: {} is {}, expected {}",
                                           position() - 4, what, found, expected));
  }
  Result<> sequence_id(std::string_view what) {
    const std::uint32_t found = TRY(word(what));
    if (found < state_sequence_ids_max) return {};
    return fail(Code::corrupt, fmt::format("state blob, offset {}: {} is {}, expected less than {}",
                                           position() - 4, what, found, state_sequence_ids_max));
  }
  // `bytes` is a product of values within the limits of state_layout.h: it cannot overflow.
  Result<> skip(std::uint64_t bytes, std::string_view what) {
    TRY(reader_.read_bytes(bytes, what));
    return {};
  }
  Result<LayerHeader> row_header(std::string_view what) {
    LayerHeader header;
    header.offset = position();
    header.type = TRY(word(what));
    header.row_bytes = TRY(reader_.read<std::uint64_t>(what));
    return header;
  }
  Result<LayerHeader> transposed_header(std::string_view what) {
    LayerHeader header;
    header.offset = position();
    header.type = TRY(word(what));
    header.element_bytes = TRY(word(what));
    const std::uint32_t elements = TRY(word(what));
    header.row_bytes = std::uint64_t{header.element_bytes} * elements;
    return header;
  }
  Result<> expect_end() const {
    if (reader_.remaining() == 0) return {};
    return fail(Code::corrupt, fmt::format("state blob, offset {}: {} bytes follow the last row",
                                           position(), reader_.remaining()));
  }

 private:
  ByteReader reader_;
};

}  // namespace hearth::model
