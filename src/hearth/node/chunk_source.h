#pragma once
// The chunks of a prompt that somebody else computes or holds, in order, verified. Dropping it
// cancels what is still being computed. One thread at a time.

#include "hearth/base/clock.h"
#include "hearth/base/result.h"
#include "hearth/kv/chunk.h"

namespace hearth::node {

class ChunkSource {
 public:
  virtual ~ChunkSource() = default;
  // nullptr: there are no more. unavailable, timed_out: whoever makes them is gone or gave up.
  virtual Result<kv::SharedChunk> next(Deadline deadline) = 0;
  // When the first bytes of the last chunk arrived.
  virtual Instant chunk_began() const = 0;
};

}  // namespace hearth::node
