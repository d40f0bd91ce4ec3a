#pragma once
// Whoever computes the KV of a prompt for another worker to decode from: a second worker on this
// machine (worker_prefiller.h) or a peer (agent/peer_prefiller.h).

#include <memory>
#include <optional>
#include <span>

#include "hearth/base/stop.h"
#include "hearth/kv/store_types.h"
#include "hearth/node/chunk_source.h"

namespace hearth::node {

struct PrefillOrder {
  std::uint64_t request = 0;      // whom on_first_token() will speak of
  Instant began{};                // when the request came
  std::span<const Token> target;  // a prompt without its last token
  kv::LayoutDigest layout;
  // What the decoding side has of it, from position 0; chunks are wanted from there on.
  std::span<const kv::PrefixChunk> stored;
  std::uint32_t held_tokens = 0;  // that the decoding worker holds; the stored ones are among them
  std::uint32_t answers_beside = 0;  // that the decoding worker is writing

  std::uint32_t from() const { return stored.empty() ? 0 : stored.back().range.end; }
  kv::ChunkKey parent() const { return stored.empty() ? model::root_key(layout) : stored.back().key; }
};

// How a request that was asked about went, to its first token.
struct FirstToken {
  std::uint64_t request = 0;
  Duration since_request{};
  // What the decoding worker computed of the prompt, from this depth on.
  std::uint32_t computed_tokens = 0, depth_tokens = 0;
  Duration prefill{};
  // Of the last prompt token, where it alone was computed here; zero: it was not alone.
  Duration last_step{};
  // As in the order, if it was so all the while and all of it was computed here: else its time says little.
  std::optional<std::uint32_t> answers_beside = {};
};

class Prefiller {
 public:
  virtual ~Prefiller() = default;
  virtual void on_first_token(const FirstToken&) {}
  // It ended before its first token.
  virtual void on_left(std::uint64_t request) { (void)request; }
  // nullptr: it is not worth it, the decoding worker shall compute it. resource_exhausted: busy.
  // What the order points to stays until the source is gone.
  virtual Result<std::unique_ptr<ChunkSource>> open(const PrefillOrder& order,
                                                    const StopToken& stop) = 0;
};

}  // namespace hearth::node
