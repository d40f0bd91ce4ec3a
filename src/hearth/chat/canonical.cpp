#include "hearth/chat/canonical.h"

#include <algorithm>
#include <array>

namespace hearth::chat {
namespace {

// Beginnings of lines that carry request data, not instructions.
constexpr std::array<std::string_view, 1> volatile_prefixes = {"x-anthropic-billing-header:"};

bool is_volatile(std::string_view line) {
  return std::any_of(volatile_prefixes.begin(), volatile_prefixes.end(),
                     [&](std::string_view prefix) { return line.starts_with(prefix); });
}

// Cuts such lines off the head, and the empty lines after them.
std::size_t strip_headers(std::string& text) {
  std::size_t removed = 0;
  while (is_volatile(text)) {
    ++removed;
    const std::size_t end = text.find('\n');
    text.erase(0, end == std::string::npos ? end : end + 1);
    text.erase(0, std::min(text.size(), text.find_first_not_of('\n')));
  }
  return removed;
}

}  // namespace

CanonicalReport canonicalise(Conversation& conversation) {
  CanonicalReport report;
  auto& messages = conversation.messages;
  for (std::size_t i = 0; i < messages.size() && messages[i].role == Role::system;) {
    const std::size_t removed = strip_headers(messages[i].text);
    report.volatile_headers += removed;
    if (removed > 0 && messages[i].text.empty()) {
      messages.erase(messages.begin() + static_cast<std::ptrdiff_t>(i));
    } else {
      ++i;
    }
  }
  for (Message& message : messages) {
    for (ToolCall& call : message.calls) restore_unparsed_input(call);
  }
  const auto by_name = [](const Tool& a, const Tool& b) { return a.name < b.name; };
  report.tools_reordered =
      !std::is_sorted(conversation.tools.begin(), conversation.tools.end(), by_name);
  std::stable_sort(conversation.tools.begin(), conversation.tools.end(), by_name);
  return report;
}

}  // namespace hearth::chat
