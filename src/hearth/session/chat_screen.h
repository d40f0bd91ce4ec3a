#pragma once
// What a chat shows to a person and hears from one: a terminal, a script's pipes, a test. One thread,
// except that the token of begin_answer() may fire on any.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "hearth/base/stop.h"
#include "hearth/chat/message.h"
#include "hearth/session/memory_tool.h"

namespace hearth::session {

// How full the window is. 0: not known.
struct ContextUse {
  std::uint32_t used_tokens = 0, window_tokens = 0, cached_tokens = 0;
  double fraction() const { return window_tokens == 0 ? 0 : static_cast<double>(used_tokens) / window_tokens; }
};

class ChatScreen {
 public:
  virtual ~ChatScreen() = default;
  // A line of input, or what stands in `initial` edited; nothing: the input has ended.
  virtual std::optional<std::string> read_line(std::string_view prompt, std::string_view initial) = 0;

  // Until end_answer() the token fires when the person wants the answer to stop (Ctrl-C).
  virtual StopToken begin_answer() = 0;
  virtual void progress(double fraction) = 0;  // of the prompt
  virtual void thinking(std::string_view piece) = 0;
  virtual void text(std::string_view piece) = 0;
  virtual void tool(const chat::ToolCall& call, const ToolReply& reply) = 0;
  virtual void end_answer(const ContextUse& use) = 0;

  virtual void show_thinking(bool shown) = 0;
  virtual void notice(std::string_view text) = 0;  // about the chat, not of it
  virtual void print(std::string_view text) = 0;   // what a command was asked for
};

}  // namespace hearth::session
