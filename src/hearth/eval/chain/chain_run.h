#pragma once
// One chain from its opening to its end, as a state machine: a conversation to be answered comes out,
// the model's turn goes in. No model, clock or network.

#include <map>

#include "hearth/eval/chain/turn_grade.h"

namespace hearth::eval {

struct ChainOutcome {
  std::uint32_t depth = 0;  // the call that failed for good, or the last one made
  bool failed = false;      // false: every call was made, or the transport failed: censored
  ChainError error = ChainError::none;  // that ended it
  std::map<ChainError, std::uint32_t>
      recovered;  // mistakes that were mended after an error message
  std::uint32_t turns = 0;

  bool operator==(const ChainOutcome&) const = default;
};
Json chain_outcome_json(const ChainOutcome& outcome);
Result<ChainOutcome> chain_outcome_from_json(const Json& json);

// The model drives.
class ChainRun {
 public:
  explicit ChainRun(const ChainWorld& world);  // outlives this

  bool done() const { return done_; }
  const chat::Conversation& conversation() const { return conversation_; }  // to be answered
  void take(ModelTurn turn);                                                // not when done
  const ChainOutcome& outcome() const { return outcome_; }                  // when done

 private:
  void take_call(chat::ToolCall call);
  void count(ChainError error);
  void end(ChainError error);

  const ChainWorld& world_;
  chat::Conversation conversation_;
  CallHistory history_;
  std::vector<ChainError> mistakes_;  // at the step that is due
  ChainOutcome outcome_;
  bool done_ = false;
};

// The model is shown `depth` calls made rightly, and makes the next one: teacher forcing.
chat::Conversation forced_conversation(const ChainWorld& world, std::uint32_t depth);
ChainError grade_forced(const ChainWorld& world, std::uint32_t depth, const ModelTurn& turn);

}  // namespace hearth::eval
