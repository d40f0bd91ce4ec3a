#pragma once
// Lines that a person types into a chat: what begins with a slash is a command, "//" a slash that is
// meant. Pure.

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

namespace hearth::session {

struct ChatCommand {
  enum class Kind : std::uint8_t {
    say,        // text
    help, quit, send, retry, undo, branches, thinking, memory, budget, handover, unknown,
    edit,       // number (0: the last thing said) and, unless it is to be asked for, text
    go,         // number: of a branch
    leave_out,  // number: of turns
    label,      // text
    title,      // text
    save,       // text: a file
  };
  Kind kind = Kind::say;
  std::uint32_t number = 0;
  std::string text;
};

ChatCommand read_chat_command(std::string_view line);
std::string_view chat_help();

}  // namespace hearth::session
