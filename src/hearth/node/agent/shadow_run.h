#pragma once
// The road not taken, run after the fact: a prompt that nobody has seen, as long as the one that was
// decided about, by another way. Gives the seconds to its first token.
//
// Only where nothing waits: it takes a sequence of the worker, and the time that it measures.

#include "hearth/node/prefiller.h"
#include "hearth/node/worker/worker_keeper.h"

namespace hearth::node {

struct ShadowRun {
  const KeptWorker& worker;      // decodes
  Prefiller* prefiller = nullptr;  // nullptr: the worker computes all of it
  std::uint32_t prompt_tokens = 0;
  std::uint64_t seed = 0;        // of the prompt
};

// invalid_argument for prompts of fewer than two tokens or more than the context holds.
Result<double> run_shadow(const ShadowRun& run, const StopToken& stop);

}  // namespace hearth::node
