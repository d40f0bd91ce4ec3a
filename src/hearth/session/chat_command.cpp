#include "hearth/session/chat_command.h"

#include <array>
#include <charconv>

namespace hearth::session {
namespace {

using Kind = ChatCommand::Kind;

struct Name {
  std::string_view name;
  Kind kind;
  bool has_number;
};
constexpr std::array<Name, 17> names = {{{"help", Kind::help, false},
                                         {"quit", Kind::quit, false},
                                         {"exit", Kind::quit, false},
                                         {"send", Kind::send, false},
                                         {"retry", Kind::retry, false},
                                         {"undo", Kind::undo, false},
                                         {"edit", Kind::edit, true},
                                         {"branches", Kind::branches, false},
                                         {"go", Kind::go, true},
                                         {"thinking", Kind::thinking, false},
                                         {"memory", Kind::memory, false},
                                         {"budget", Kind::budget, false},
                                         {"leave-out", Kind::leave_out, true},
                                         {"handover", Kind::handover, false},
                                         {"label", Kind::label, false},
                                         {"title", Kind::title, false},
                                         {"save", Kind::save, false}}};

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t' || text.back() == '\r' || text.back() == '\n')) text.remove_suffix(1);
  return text;
}

}  // namespace

ChatCommand read_chat_command(std::string_view line) {
  if (!line.starts_with('/')) return {.kind = Kind::say, .number = 0, .text = std::string(line)};
  if (line.starts_with("//")) return {.kind = Kind::say, .number = 0, .text = std::string(line.substr(1))};
  const std::string_view rest = trimmed(line.substr(1));
  const std::string_view word = rest.substr(0, rest.find_first_of(" \t\n"));
  std::string_view arguments = trimmed(rest.substr(word.size()));
  for (const Name& known : names) {
    if (known.name != word) continue;
    ChatCommand out{.kind = known.kind, .number = 0, .text = {}};
    if (known.has_number) {
      const auto read = std::from_chars(arguments.data(), arguments.data() + arguments.size(), out.number);
      if (read.ec == std::errc()) arguments = trimmed(arguments.substr(static_cast<std::size_t>(read.ptr - arguments.data())));
      else out.number = 0;
    }
    out.text = arguments;
    return out;
  }
  return {.kind = Kind::unknown, .number = 0, .text = std::string(word)};
}

std::string_view chat_help() {
  return R"(/retry            ask for another answer to the last thing you said
/undo             take back the last thing you said, and its answer
/edit [N] [TEXT]  say the last thing, or thing N, differently; makes a branch
/branches         the branches of this conversation; /go N goes to one
/thinking on|off  show what the model thinks
/memory           the files of memory; /memory diff: what this session changed
                  /memory add PATH TEXT, /memory remove PATH, /memory undo PATH
                  /memory fold: write the changes into the folder now
/budget           how full the window is
/leave-out N      go on without the oldest N turns, on a new branch
/handover         a note by the model to begin a new session with
/label LABEL      raise how sealed the session is: house, sealed
/title TEXT       name the session
/save FILE        the conversation as Markdown
/send             send what did not fit again
/quit             leave; memory changes are folded into the folder
//...             a line that begins with a slash. A line that ends with \ goes on in the next.
Ctrl-C stops an answer, Ctrl-D leaves.
)";
}

}  // namespace hearth::session
