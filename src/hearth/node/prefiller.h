#pragma once
// Whoever computes the KV of a prompt for another worker to decode from: a second worker on this
// machine (worker_prefiller.h) or a peer (agent/peer_prefiller.h).

#include <memory>
#include <span>

#include "hearth/base/stop.h"
#include "hearth/kv/store_types.h"
#include "hearth/node/chunk_source.h"

namespace hearth::node {

struct PrefillOrder {
  std::span<const Token> target;  // a prompt without its last token
  kv::LayoutDigest layout;
  // What the decoding side has of it, from position 0; chunks are wanted from there on.
  std::span<const kv::PrefixChunk> stored;
  std::uint32_t held_tokens = 0;  // that the decoding worker holds; the stored ones are among them

  std::uint32_t from() const { return stored.empty() ? 0 : stored.back().range.end; }
  kv::ChunkKey parent() const { return stored.empty() ? model::root_key(layout) : stored.back().key; }
};

class Prefiller {
 public:
  virtual ~Prefiller() = default;
  // nullptr: it is not worth it, the decoding worker shall compute it. resource_exhausted: busy.
  // What the order points to stays until the source is gone.
  virtual Result<std::unique_ptr<ChunkSource>> open(const PrefillOrder& order,
                                                    const StopToken& stop) = 0;
};

}  // namespace hearth::node
