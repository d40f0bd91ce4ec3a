#pragma once
// Everything for moving a chain of chunks to a peer. The messages are few:
//
//   sender                                 receiver
//   QueryMissing: the chain's keys    ->   missing()
//   PutChunk: name and length first   ->   admit()
//             header, payload         ->   on_body()
//                                     <-   accepted, or a Refusal
//
// What a refusal means to the sender is put_failure_of(). A driver translates only what went wrong with the
// request itself.

#include <optional>

#include "hearth/kv/chunk_receiver.h"
#include "hearth/kv/chunk_sender.h"
#include "hearth/kv/sync_parameters.h"

namespace hearth::kv {

// Nothing: the peer has the chunk, which is success.
std::optional<PutFailure> put_failure_of(Refusal refusal);

}  // namespace hearth::kv
