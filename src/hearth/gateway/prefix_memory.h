#pragma once
// The prompt and the answer with which each conversation was last known, to say so when its next prompt does not
// go on from them: everything behind the first difference is read again then. Tools that change or come late do
// that, and clients that rewrite what was said.
//
// A conversation is known by the name its client gives it and by what was said up to its first answer, system
// texts excepted. Bounded by number and by tokens; the least recently used go first. Not thread-safe. Pure.

#include <list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "hearth/base/digest.h"
#include "hearth/chat/message.h"
#include "hearth/model/token.h"

namespace hearth::gateway {

struct Departure {
  std::size_t shared_tokens = 0;  // up to the first difference
  std::size_t lost_tokens = 0;    // that were known behind it
  // "tools", "system", "tools+system", or "history": a message, or the way one is written.
  std::string_view changed;
  bool operator==(const Departure&) const = default;
};

class PrefixMemory {
 public:
  static constexpr std::size_t conversations_max = 256;
  static constexpr std::size_t tokens_max = 4 << 20;  // 16 MiB of ids

  // `turn` was the answer; `tokens` are the prompt's and the answer's.
  void keep(const std::string& user, const chat::Conversation& conversation, const chat::Message& turn,
            std::vector<Token> tokens);
  // Nothing: the prompt goes on from what is known, or is a beginning of it; or nothing is known.
  std::optional<Departure> departure(const std::string& user, const chat::Conversation& conversation,
                                     std::span<const Token> prompt);
  void forget(std::string_view user);

 private:
  struct Known {
    Digest256 key, tools, system;
    std::string user;
    std::vector<Token> tokens;
  };
  using Entries = std::list<Known>;  // most recently used first

  void drop(Entries::iterator entry);

  Entries entries_;
  std::unordered_map<Digest256, Entries::iterator> by_key_;
  std::size_t held_tokens_ = 0;
};

}  // namespace hearth::gateway
