#pragma once
// The chunks of a prompt that somebody else computes or holds, in order, verified. Dropping it
// cancels what is still being computed. One thread at a time, save where it is said.

#include <string_view>

#include "hearth/base/clock.h"
#include "hearth/base/result.h"
#include "hearth/kv/chunk.h"

namespace hearth::node {

class ChunkSource {
 public:
  virtual ~ChunkSource() = default;
  // nullptr: there are no more. unavailable, timed_out: whoever makes them is gone or gave up. A source with
  // a patience of its own (a peer's: cluster::DecodeRun) goes by that instead of the deadline.
  virtual Result<kv::SharedChunk> next(Deadline deadline) = 0;
  // When the first bytes of the last chunk arrived.
  virtual Instant chunk_began() const = 0;
  // The machine that computes; empty: this one.
  virtual std::string_view machine() const { return {}; }

  // What became of the chunk that next() gave out last: told by whoever imports it, from any thread. A
  // source that lets one chunk at a time be imported waits for it in next().
  virtual void on_imported() {}
  virtual void on_import_refused(const Error&) {}  // the worker lives and will not take it
  virtual void on_worker_lost(const Error&) {}
};

}  // namespace hearth::node
