#pragma once
// An agent for tests and for `hearth eval chain --arm scripted`: it reads the conversation as a model would,
// makes the right call, and errs with a set probability in a set way.

#include "hearth/base/random.h"
#include "hearth/eval/chain/chain_run.h"

namespace hearth::eval {

class ScriptedAgent {
 public:
  // `kinds`: how it errs, drawn evenly; empty: hallucinated arguments. `world` outlives it.
  ScriptedAgent(const ChainWorld& world, double error_rate, std::uint64_t seed,
                std::vector<ChainError> kinds = {})
      : world_(world), error_rate_(error_rate), random_(seed), kinds_(std::move(kinds)) {}

  // Counts the right calls in the conversation by their results, so it goes on after refusals too.
  ModelTurn answer(const chat::Conversation& conversation);
  // A turn that is wrong in that way, `done` steps being done.
  ModelTurn mistake(ChainError kind, std::uint32_t done) const;

 private:
  const ChainWorld& world_;
  double error_rate_;
  Random random_;
  std::vector<ChainError> kinds_;
};

}  // namespace hearth::eval
