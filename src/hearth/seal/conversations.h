#pragma once
// The labels of conversations: they stick, and they only rise. A pure state machine; whoever owns it
// (Labeller, labeller.h) keeps its events on disk and has a lock.
//
// Only conversations above `open` take room. When there is no more, every conversation that is not
// known counts as sealed: forgetting one would open it.

#include <map>
#include <string>

#include "hearth/seal/audit.h"
#include "hearth/seal/label.h"

namespace hearth::seal {

inline constexpr std::size_t labelled_conversations_max = 100'000;
inline constexpr std::size_t conversation_id_bytes_max = 256;

// What somebody types to lower a label. Nothing a client, a header or a model says comes here.
struct Lowering {
  std::string conversation;
  Label to = Label::open;
  std::string who;       // the user's name on this machine
  std::string typed;     // must be lowering_phrase(...)
  std::string why;       // for the record, in the user's words
};
// "lower 3f2a from sealed to open"
std::string lowering_phrase(std::string_view conversation, Label from, Label to);

class Conversations {
 public:
  // Joins what this request says with what is known, remembers it, and returns the join. An empty id
  // is a conversation that nobody can come back to: nothing is remembered.
  LabelDecision observe(const std::string& id, const LabelDecision& request);
  LabelDecision known(const std::string& id) const;
  // Recorded first; then it takes effect. permission when the words are not the right ones.
  Result<> lower(const Lowering& act, std::int64_t at_s, AuditSink& audit);

  // What lower() did, read from a log.
  void replay_lowered(const std::string& id, Label to);

  const std::map<std::string, LabelDecision>& all() const { return labels_; }

 private:
  std::map<std::string, LabelDecision> labels_;  // above open only
};

}  // namespace hearth::seal
