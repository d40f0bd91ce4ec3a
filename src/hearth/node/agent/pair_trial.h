#pragma once
// A trial of a pair of machines before it is trusted: one prompt that nobody has seen, prefilled
// here and there, decoded here from both. Gives the parity of the two, and first rates of
// everything that a prediction needs.

#include <functional>

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

// Beside other work a worker computes in batches with it and rounds otherwise: of such trials one in some
// sixty is too far off. A machine that computes wrong is so each time.
inline constexpr std::uint32_t faults_to_distrust = 3;  // in a row
using TryOnce = std::function<Result<TrialReport>()>;
// The first report without a fault, or the last.
Result<TrialReport> try_until_sure(const TryOnce& try_once, const cluster::ParityLimits& limits);

}  // namespace hearth::node
