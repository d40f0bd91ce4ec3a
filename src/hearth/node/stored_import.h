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

// Of a stored prefix, what goes into a sequence that holds `held_tokens` of the prompt.
struct ImportPlan {
  std::size_t first = 0;             // the first piece to import; all of them: none
  std::uint32_t kept_tokens = 0;     // of what is held; 0 with first == 0: it begins anew
};
// A sequence that can be cut back takes what reaches beyond it. An append-only one takes what joins it
// exactly; or begins anew where that saves at least `restart_tokens_min`.
ImportPlan plan_import(std::span<const kv::PrefixChunk> pieces, std::uint32_t held_tokens,
                       bool is_append_only, std::uint32_t restart_tokens_min);

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
