#pragma once
// How the chunks of a hand-off are cut: what is stored as it is, then to multiples of the chunk
// length. Both sides compute the same names from the same tokens.
// Pure.

#include <span>
#include <vector>

#include "hearth/kv/chunk.h"
#include "hearth/kv/store_types.h"

namespace hearth::node {

struct ChainLink {
  kv::ChunkKey key;
  TokenRange range;
};

// From position `from`, behind the chunk named `parent`, to the end of `tokens`.
std::vector<ChainLink> continue_chain(const kv::ChunkKey& parent, std::uint32_t from,
                                      std::span<const Token> tokens, std::uint32_t chunk_tokens);

}  // namespace hearth::node
