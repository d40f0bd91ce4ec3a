#include "hearth/gateway/prefix_memory.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "hearth/chat/turn_memory.h"

namespace hearth::gateway {
namespace {

// Nothing: it has no answer yet. `turn` is the message after the others, where there is one.
std::optional<Digest256> key_of(const std::string& user, const std::vector<chat::Message>& messages,
                                const chat::Message* turn) {
  chat::ContextDigest said{std::vector<chat::Tool>()};
  const auto answered_with = [&](const chat::Message& answer) {
    return Blake2b().update_sized(user).update(said.with(answer).bytes).finish();
  };
  for (const chat::Message& message : messages) {
    if (message.role == chat::Role::assistant) return answered_with(message);
    if (message.role != chat::Role::system) said.add(message);
  }
  if (turn == nullptr) return {};
  return answered_with(*turn);
}

Digest256 digest_of_tools(const chat::Conversation& conversation) {
  return chat::ContextDigest(conversation.tools).with(chat::Message());
}

Digest256 digest_of_system(const chat::Conversation& conversation) {
  Blake2b hash;
  for (const chat::Message& message : conversation.messages) {
    if (message.role == chat::Role::system) hash.update_sized(message.text);
  }
  return hash.finish();
}

}  // namespace

void PrefixMemory::keep(const std::string& user, const chat::Conversation& conversation, const chat::Message& turn,
                        std::vector<Token> tokens) {
  const Digest256 key = *key_of(user, conversation.messages, &turn);
  if (const auto old = by_key_.find(key); old != by_key_.end()) drop(old->second);
  if (tokens.size() > tokens_max) return;
  held_tokens_ += tokens.size();
  entries_.push_front({.key = key, .tools = digest_of_tools(conversation), .system = digest_of_system(conversation),
                       .user = user, .tokens = std::move(tokens)});
  by_key_[key] = entries_.begin();
  while (entries_.size() > conversations_max || held_tokens_ > tokens_max) drop(std::prev(entries_.end()));
}

std::optional<Departure> PrefixMemory::departure(const std::string& user, const chat::Conversation& conversation,
                                                 std::span<const Token> prompt) {
  const auto key = key_of(user, conversation.messages, nullptr);
  const auto found = key ? by_key_.find(*key) : by_key_.end();
  if (found == by_key_.end()) return {};
  entries_.splice(entries_.begin(), entries_, found->second);
  const Known& known = entries_.front();
  const std::size_t both = std::min(prompt.size(), known.tokens.size());
  const auto differs = std::mismatch(prompt.begin(), prompt.begin() + static_cast<std::ptrdiff_t>(both),
                                     known.tokens.begin());
  const auto shared = static_cast<std::size_t>(differs.first - prompt.begin());
  if (shared == both) return {};
  const bool tools = known.tools != digest_of_tools(conversation);
  const bool system = known.system != digest_of_system(conversation);
  return Departure{.shared_tokens = shared, .lost_tokens = known.tokens.size() - shared,
                   .changed = tools && system ? "tools+system" : tools ? "tools" : system ? "system" : "history"};
}

void PrefixMemory::forget(std::string_view user) {
  for (auto entry = entries_.begin(); entry != entries_.end();) {
    const auto next = std::next(entry);
    if (entry->user == user) drop(entry);
    entry = next;
  }
}

void PrefixMemory::drop(Entries::iterator entry) {
  held_tokens_ -= entry->tokens.size();
  by_key_.erase(entry->key);
  entries_.erase(entry);
}

}  // namespace hearth::gateway
