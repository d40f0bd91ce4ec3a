#pragma once
// A trial of a pair of machines before it is trusted: one prompt that nobody has seen, prefilled
// here and there, decoded here from both. Gives the parity of the two, and first rates of
// everything that a prediction needs.

#include "hearth/cluster/parity.h"
#include "hearth/node/agent/agent_api.h"
#include "hearth/node/prefiller.h"
#include "hearth/node/worker/worker_keeper.h"

namespace hearth::node {

inline constexpr std::uint32_t trial_chunks = 2;

struct TrialReport {
  cluster::Parity parity;
  std::vector<PrefillPiece> local_prefill;  // chunk by chunk
  double import_s = 0;                      // a chunk
  double decode_s = 0;                      // a token
};

// `seed` makes the prompt. Takes a sequence of the worker, and time: only where nothing waits.
Result<TrialReport> try_pair(const KeptWorker& worker, Prefiller& peer, std::uint64_t seed,
                             const StopToken& stop);

}  // namespace hearth::node
