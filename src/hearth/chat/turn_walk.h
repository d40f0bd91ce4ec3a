#pragma once
// What the renderers share: which assistant turns are remembered, and where the last plain turn
// and the last question stand (reference templates cut thinking there). Internal to chat.

#include <optional>

#include "hearth/chat/format.h"

namespace hearth::chat {

class TurnWalk {
 public:
  TurnWalk(const Conversation& conversation, const RenderOptions& options)
      : memory_(options.memory), context_(conversation.tools) {}

  // Call once for each message, in order. The record of an assistant turn, or nullptr.
  const TurnRecord* next(const Message& message) {
    if (memory_ == nullptr) return nullptr;
    const TurnRecord* record = message.role == Role::assistant
                                   ? memory_->find(context_.with(message), message, context_.calls())
                                   : nullptr;
    context_.add(message);
    return record;
  }

 private:
  const TurnMemory* memory_;
  ContextDigest context_;
};

// Index of the last assistant message without calls; -1 when there is none.
inline std::ptrdiff_t last_plain_turn(const std::vector<Message>& messages) {
  auto i = static_cast<std::ptrdiff_t>(messages.size()) - 1;
  while (i >= 0 && !(messages[static_cast<std::size_t>(i)].role == Role::assistant &&
                     messages[static_cast<std::size_t>(i)].calls.empty())) {
    --i;
  }
  return i;
}

// Index of the last user message; the last message when there is none.
inline std::size_t last_question(const std::vector<Message>& messages) {
  for (std::size_t i = messages.size(); i-- > 0;) {
    if (messages[i].role == Role::user) return i;
  }
  return messages.empty() ? 0 : messages.size() - 1;
}

inline std::string_view trim(std::string_view text, std::string_view blank = " \t\r\n\v\f") {
  const auto first = text.find_first_not_of(blank);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(blank) - first + 1);
}

}  // namespace hearth::chat
