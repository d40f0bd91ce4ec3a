#pragma once
// What a chunk store asks of whoever has keys; kv has none. Sealed bytes are overhead_bytes longer
// than the text and vouch for `associated` too. Thread-safe.

#include <span>
#include <string>

#include "hearth/kv/chunk.h"

namespace hearth::kv {

class ChunkCipher {
 public:
  static constexpr std::size_t overhead_bytes = 40;

  virtual ~ChunkCipher() = default;
  // A chunk's key says which text it is to whoever guesses the text; this name does not. 64 hex digits.
  virtual std::string file_name(const ChunkKey& key) const = 0;
  // `out` has plain.size() + overhead_bytes.
  virtual void seal(ByteSpan plain, ByteSpan associated, std::span<std::byte> out) const = 0;
  // `out` has sealed.size() - overhead_bytes. corrupt when they are not the bytes that were sealed.
  virtual Result<> open(ByteSpan sealed, ByteSpan associated, std::span<std::byte> out) const = 0;
};

}  // namespace hearth::kv
