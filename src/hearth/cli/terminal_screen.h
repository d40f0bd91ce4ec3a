#pragma once
// A chat on standard input and output: a terminal with a line editor, or pipes with a line a message.
// Answers go to standard output, everything about the chat to standard error. One thread.

#include <memory>
#include <string>
#include <vector>

#include "hearth/cli/interrupt.h"
#include "hearth/cli/progress.h"
#include "hearth/session/chat_screen.h"

namespace hearth::cli {

class TerminalScreen final : public session::ChatScreen {
 public:
  // `interrupts` outlives this.
  TerminalScreen(InterruptWatcher& interrupts, bool shows_thinking);
  ~TerminalScreen() override;

  std::optional<std::string> read_line(std::string_view prompt, std::string_view initial) override;
  StopToken begin_answer() override;
  void progress(double fraction) override;
  void thinking(std::string_view piece) override;
  void text(std::string_view piece) override;
  void tool(const chat::ToolCall& call, const session::ToolReply& reply) override;
  void end_answer(const session::ContextUse& use) override;
  void show_thinking(bool shown) override { shows_thinking_ = shown; }
  void notice(std::string_view text) override;
  void print(std::string_view text) override;

 private:
  struct Answer;
  enum class Part : std::uint8_t { nothing, thinking, text };
  std::optional<std::string> read_piped_line();
  std::optional<std::string> edit_line(std::string_view prompt, std::string_view initial);
  bool read_input();  // false: ended, or the program is to end
  void begin_part(Part part);
  void write(std::string_view text);
  void finish_line();

  InterruptWatcher& interrupts_;
  const bool is_terminal_;  // input and output both
  bool shows_thinking_;
  std::string input_;       // read and not yet used
  std::vector<std::string> history_;
  std::unique_ptr<Answer> answer_;
  Progress progress_;
  Part part_ = Part::nothing;
  bool at_line_begin_ = true;
  session::ContextUse use_;
};

}  // namespace hearth::cli
