#pragma once
// The token ids that the model sampled, per assistant turn. A client sends a turn back parsed:
// spaces, key order and number forms of tool arguments are lost, thinking often too. Rendering
// such a turn anew would give other tokens, and everything after it would have to be read again;
// so a turn that still says the same thing is put back as it was sampled.
//
// A turn is found by its handle, or by a digest of everything before it and of what it says
// (thinking excepted). Bounded by turns and by tokens; the least recently used go first. Not
// thread-safe: one owner. Pure: no I/O.

#include <cstdint>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "hearth/base/digest.h"
#include "hearth/chat/message.h"
#include "hearth/model/token.h"

namespace hearth::chat {

struct TurnRecord {
  std::vector<Token> tokens;  // as sampled, without the token that ended the turn
  bool thinking_on = false;          // which generation prompt stood before them
  std::string user = {};             // whose conversation it belongs to, as far as that was told
};

// A turn with all that it is found by: `key`, the context with it (ContextDigest::with), or its handle.
struct KnownTurn {
  Digest256 key;
  Digest256 content;  // of what it says; of one with calls also how many calls were before it
  std::string handle;  // empty: it has none
  TurnRecord record;
};
KnownTurn known_turn(const Digest256& key, const Message& turn, TurnRecord record, std::size_t calls_before = 0);

// Identity of a conversation up to a point; grows message by message. Thinking, handles and
// outward ids do not count; calls count by name, canonical arguments and position.
class ContextDigest {
 public:
  explicit ContextDigest(const std::vector<Tool>& tools);
  void add(const Message& message);
  // The context with `turn` as its next message.
  Digest256 with(const Message& turn) const;
  std::size_t calls() const { return calls_; }  // of all turns so far

 private:
  Digest256 value_;
  std::size_t calls_ = 0;
};

class TurnMemory {
 public:
  struct Limits {
    std::size_t turns_max = 4096;
    std::size_t tokens_max = 8 << 20;  // 32 MiB of ids
  };
  TurnMemory() : TurnMemory(Limits{}) {}
  explicit TurnMemory(Limits limits) : limits_(limits) {}

  // As the turn was given to the client.
  void remember(KnownTurn turn);
  void forget(std::string_view user);

  // nullptr when nothing fits. The handle wins, but only if the turn still says the same, and its calls have the same
  // numbers.
  const TurnRecord* find(const Digest256& key, const Message& turn, std::size_t calls_before = 0) const;

  std::size_t turns() const { return entries_.size(); }
  std::size_t tokens() const { return tokens_; }

 private:
  using Entries = std::list<KnownTurn>;  // most recently used first

  void drop(Entries::iterator entry);

  Limits limits_;
  std::size_t tokens_ = 0;
  mutable Entries entries_;  // looking a turn up moves it to the front
  std::unordered_map<Digest256, Entries::iterator> by_key_;
  std::unordered_map<std::string, Entries::iterator> by_handle_;
};

}  // namespace hearth::chat
