#pragma once
// Where a passphrase comes from: the terminal, a file descriptor, or a command that asks a keyring.
// Never from the command line, where every process of the machine could read it, nor from the
// environment. It goes into locked memory as it is read.

#include "hearth/base/stop.h"
#include "hearth/cli/command_line.h"
#include "hearth/vault/secret.h"

namespace hearth::cli {

struct PassphraseSource {
  std::string fd;       // --passphrase-fd
  std::string command;  // --passphrase-command
};
void declare_passphrase(Flags& f, PassphraseSource& source, const std::string& prefix = "--passphrase");

// One line, without its end. `title` is what the terminal asks; `twice`: asked again, must be equal.
Result<vault::Secret> read_passphrase(const PassphraseSource& source, const std::string& title, bool twice,
                                      const StopToken& stop);

// A line that somebody types, seen as it is typed. unavailable without a terminal.
Result<std::string> ask_terminal(const std::string& title);

}  // namespace hearth::cli
