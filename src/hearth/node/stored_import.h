#pragma once
// Moves stored chunks into a worker: those on disk as one list of files that the worker opens
// itself, those in memory over the wire.

#include <cstdint>
#include <functional>
#include <optional>
#include <span>

#include "hearth/kv/store.h"
#include "hearth/node/worker/worker_client.h"

namespace hearth::node {

struct StoredImport {
  std::size_t count = 0;       // pieces taken in, from the first on
  std::optional<Error> error;  // of pieces[count]
};

// `pieces` follow one another and what the lease holds. `deadline_each` bounds every request. A
// file that turns out damaged is dropped from the store.
StoredImport import_pieces(const WorkerClient& worker, engine::LeaseId lease, kv::ChunkStore& store,
                           std::span<const kv::PrefixChunk> pieces, Duration deadline_each,
                           const StopToken& stop);

}  // namespace hearth::node
