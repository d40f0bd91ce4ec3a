#include "hearth/cli/terminal_screen.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <utility>

#include "hearth/session/line_editor.h"

namespace hearth::cli {
namespace {

constexpr std::size_t history_max = 500;
constexpr std::size_t width_default = 80;
constexpr char end_of_transmission = '\x04';  // Ctrl-D
constexpr std::string_view dim = "\x1b[2m";
constexpr std::string_view plain = "\x1b[0m";
constexpr std::string_view paste_on = "\x1b[?2004h";
constexpr std::string_view paste_off = "\x1b[?2004l";

void put(std::FILE* to, std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), to);
  std::fflush(to);
}

std::size_t terminal_width() {
  winsize size{};
  return ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : width_default;
}

bool has_typed_ahead() {
  pollfd input{STDIN_FILENO, POLLIN, 0};
  return ::poll(&input, 1, 0) > 0;
}

// What a model writes must not be able to move the cursor, set a title or answer for the terminal.
std::string without_controls(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    const bool control = (c < 0x20 && c != '\n' && c != '\t') || c == 0x7F;
    const bool high_control = c == 0xC2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xA0;
    if (high_control) ++i;
    if (!control && !high_control) out += text[i];
  }
  return out;
}

// The terminal gives each key as it is pressed, Ctrl-C too, while this lives.
class RawInput {
 public:
  RawInput() {
    valid_ = ::tcgetattr(STDIN_FILENO, &before_) == 0;
    if (!valid_) return;
    termios raw = before_;
    raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO | ISIG | IEXTEN);
    raw.c_iflag &= ~static_cast<tcflag_t>(ICRNL | IXON);
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;
    ::tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
    put(stdout, paste_on);
  }
  ~RawInput() {
    if (!valid_) return;
    put(stdout, paste_off);
    ::tcsetattr(STDIN_FILENO, TCSADRAIN, &before_);
  }
  RawInput(const RawInput&) = delete;
  RawInput& operator=(const RawInput&) = delete;

 private:
  termios before_{};
  bool valid_ = false;
};

}  // namespace

// Ctrl-C ends this answer, the end of the program does too.
struct TerminalScreen::Answer {
  StopSource source;
  StopCallback ends_too;
  InterruptWatcher& interrupts;
  explicit Answer(InterruptWatcher& watcher)
      : ends_too(watcher.token(), [this] { source.request_stop(); }), interrupts(watcher) {
    interrupts.set_catcher([this] { source.request_stop(); });
  }
  ~Answer() { interrupts.set_catcher({}); }
  Answer(const Answer&) = delete;
  Answer& operator=(const Answer&) = delete;
};

TerminalScreen::TerminalScreen(InterruptWatcher& interrupts, bool shows_thinking)
    : interrupts_(interrupts), is_terminal_(::isatty(STDIN_FILENO) == 1 && ::isatty(STDOUT_FILENO) == 1),
      shows_thinking_(shows_thinking) {}
TerminalScreen::~TerminalScreen() = default;

bool TerminalScreen::read_input() {
  const StopDescriptor stopped(interrupts_.token());
  for (;;) {
    pollfd fds[] = {{STDIN_FILENO, POLLIN, 0}, {stopped.fd(), POLLIN, 0}};
    if (::poll(fds, 2, -1) < 0 && errno != EINTR) return false;
    if (interrupts_.token().stop_requested()) return false;
    if (fds[0].revents == 0) continue;
    char buffer[4096];
    const ssize_t got = ::read(STDIN_FILENO, buffer, sizeof(buffer));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    input_.append(buffer, static_cast<std::size_t>(got));
    return true;
  }
}

std::optional<std::string> TerminalScreen::read_line(std::string_view prompt, std::string_view initial) {
  finish_line();
  if (!is_terminal_) return read_piped_line();
  const std::string shown = use_.window_tokens > 0 && use_.used_tokens > 0 ? fmt::format("[{:.0f} %] {}", use_.fraction() * 100, prompt)
                                                                           : std::string(prompt);
  auto line = edit_line(shown, initial);
  if (line && !line->empty()) history_.push_back(*line);
  if (history_.size() > history_max) history_.erase(history_.begin());
  return line;
}

std::optional<std::string> TerminalScreen::read_piped_line() {
  std::string out;
  for (;;) {
    std::size_t end = 0;
    while ((end = input_.find('\n')) == std::string::npos) {
      if (read_input()) continue;
      if (interrupts_.token().stop_requested() || (input_.empty() && out.empty())) return std::nullopt;
      return out + std::exchange(input_, {});
    }
    out += input_.substr(0, end);
    input_.erase(0, end + 1);
    if (!out.ends_with('\\')) return out;
    out.back() = '\n';
  }
}

std::optional<std::string> TerminalScreen::edit_line(std::string_view prompt, std::string_view initial) {
  const RawInput raw;
  if (has_typed_ahead()) {
    const std::size_t typed_begin = input_.size();
    if (!read_input()) return std::nullopt;
    // Linux keeps a Ctrl-D that was typed while it still assembled lines as a NUL.
    std::replace(input_.begin() + static_cast<std::ptrdiff_t>(typed_begin), input_.end(), '\0', end_of_transmission);
  }
  session::LineEditor editor{std::string(initial), history_};
  session::EditView shown;
  const auto show = [&] {
    std::string out;
    if (shown.cursor_row > 0) out += fmt::format("\x1b[{}A", shown.cursor_row);
    out += "\r\x1b[J";
    shown = session::lay_out(prompt, editor.text(), editor.cursor(), terminal_width());
    out += shown.output;
    if (shown.rows - 1 > shown.cursor_row) out += fmt::format("\x1b[{}A", shown.rows - 1 - shown.cursor_row);
    out += '\r';
    if (shown.cursor_column > 0) out += fmt::format("\x1b[{}C", shown.cursor_column);
    put(stdout, out);
  };
  const auto leave = [&] {
    put(stdout, shown.rows - 1 > shown.cursor_row ? fmt::format("\x1b[{}B\r\n", shown.rows - 1 - shown.cursor_row) : "\r\n");
  };
  show();
  for (;;) {
    while (!input_.empty()) {
      const char byte = input_.front();
      input_.erase(0, 1);
      switch (editor.take(byte)) {
        case session::LineEditor::Step::more: break;
        case session::LineEditor::Step::done: show(); leave(); return editor.text();
        case session::LineEditor::Step::cancelled: leave(); return std::string();
        case session::LineEditor::Step::ended: leave(); return std::nullopt;
        case session::LineEditor::Step::clear_screen: put(stdout, "\x1b[H\x1b[2J"); shown = {}; break;
      }
    }
    show();
    if (!read_input()) {
      leave();
      return std::nullopt;
    }
  }
}

StopToken TerminalScreen::begin_answer() {
  answer_ = std::make_unique<Answer>(interrupts_);
  part_ = Part::nothing;
  return answer_->source.token();
}

void TerminalScreen::progress(double fraction) { progress_.update("reading", fraction); }

void TerminalScreen::begin_part(Part part) {
  progress_.clear();
  if (part_ == part) return;
  if (part_ == Part::thinking && is_terminal_) put(stdout, plain);
  if (part_ != Part::nothing) finish_line();
  part_ = part;
  if (part == Part::thinking && is_terminal_) put(stdout, dim);
}

void TerminalScreen::write(std::string_view text) {
  if (text.empty()) return;
  put(stdout, is_terminal_ ? without_controls(text) : std::string(text));
  at_line_begin_ = text.ends_with('\n');
}

void TerminalScreen::finish_line() {
  if (!at_line_begin_) put(stdout, "\n");
  at_line_begin_ = true;
}

void TerminalScreen::thinking(std::string_view piece) {
  if (!shows_thinking_) return;
  begin_part(Part::thinking);
  write(piece);
}

void TerminalScreen::text(std::string_view piece) {
  begin_part(Part::text);
  write(piece);
}

void TerminalScreen::tool(const chat::ToolCall& call, const session::ToolReply& reply) {
  begin_part(Part::nothing);
  const Json* command = call.arguments.find("command");
  const Json* path = call.arguments.find("path");
  notice(fmt::format("{} {} {}{}", call.name, command != nullptr && command->is_string() ? command->as_string() : "",
                     path != nullptr && path->is_string() ? path->as_string() : "", reply.is_error ? ": " + reply.text : ""));
}

void TerminalScreen::end_answer(const session::ContextUse& use) {
  begin_part(Part::nothing);
  finish_line();
  answer_.reset();
  if (use.used_tokens > 0) use_ = use;
}

void TerminalScreen::notice(std::string_view text) {
  progress_.clear();
  finish_line();
  put(stderr, is_terminal_ ? fmt::format("{}{}{}\n", dim, without_controls(text), plain) : fmt::format("hearth: {}\n", text));
}

void TerminalScreen::print(std::string_view text) {
  progress_.clear();
  finish_line();
  write(text);
}

}  // namespace hearth::cli
