#include "hearth/cli/passphrase.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>

#include "hearth/base/child_process.h"
#include "hearth/base/file.h"

namespace hearth::cli {
namespace {

constexpr Duration command_time_max = std::chrono::minutes(2);  // a keyring may ask its user

Result<vault::Secret> without_line_end(vault::Secret text, std::size_t bytes) {
  const auto begin = text.span().begin();
  auto end = std::find(begin, begin + static_cast<long>(bytes), std::byte{'\n'});
  if (end != begin && *(end - 1) == std::byte{'\r'}) --end;
  text.shrink(static_cast<std::size_t>(end - begin));
  if (text.is_empty()) return fail(Code::invalid_argument, "the passphrase is empty");
  return text;
}

Result<vault::Secret> read_line(int fd, std::string_view what) {
  vault::Secret text = TRY(vault::Secret::create(vault::passphrase_bytes_max + 1));
  std::size_t bytes = 0;
  while (bytes < text.span().size()) {
    // Byte by byte: what follows the line on a descriptor is not ours.
    const ssize_t got = ::read(fd, text.span().data() + bytes, 1);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno("read the passphrase from", std::filesystem::path(what), errno);
    if (got == 0) break;
    if (text.span()[bytes++] == std::byte{'\n'}) break;
  }
  if (bytes == text.span().size() && text.span().back() != std::byte{'\n'}) {
    return fail(Code::invalid_argument, fmt::format("the passphrase is longer than {} bytes", vault::passphrase_bytes_max));
  }
  return without_line_end(std::move(text), bytes);
}

struct EchoOff {
  explicit EchoOff(int terminal) : fd(terminal) {
    is_set = ::tcgetattr(fd, &before) == 0;
    termios quiet = before;
    quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    if (is_set) ::tcsetattr(fd, TCSAFLUSH, &quiet);
  }
  ~EchoOff() {
    if (is_set) ::tcsetattr(fd, TCSAFLUSH, &before);
  }
  int fd;
  bool is_set = false;
  termios before{};
};

Result<FileDescriptor> open_terminal() {
  FileDescriptor terminal(::open("/dev/tty", O_RDWR | O_CLOEXEC));
  if (!terminal.valid()) {
    return fail(Code::unavailable, "there is no terminal to ask; give --passphrase-fd N or --passphrase-command CMD");
  }
  return terminal;
}

void say(const FileDescriptor& terminal, std::string_view text) { (void)!::write(terminal.get(), text.data(), text.size()); }

Result<vault::Secret> ask_hidden(const std::string& title) {
  const FileDescriptor terminal = TRY(open_terminal());
  say(terminal, title + ": ");
  const EchoOff quiet(terminal.get());
  auto line = read_line(terminal.get(), "the terminal");
  say(terminal, "\n");
  return line;
}

Result<vault::Secret> ask_command(const std::string& command, const StopToken& stop) {
  std::vector<std::string> words;
  for (std::size_t at = 0; (at = command.find_first_not_of(' ', at)) != command.npos;) {
    const std::size_t end = std::min(command.find(' ', at), command.size());
    words.push_back(command.substr(at, end - at));
    at = end;
  }
  if (words.empty() || !words[0].starts_with('/')) {
    return fail(Code::invalid_argument, "--passphrase-command takes a program's whole path and its arguments, "
                                        "for example \"/usr/bin/secret-tool lookup hearth vault\"");
  }
  const std::string program = words[0];
  words.erase(words.begin());
  ChildProcess child = TRY(ChildProcess::start(program, std::move(words)));
  child.close_input();
  vault::Secret text = TRY(vault::Secret::create(vault::passphrase_bytes_max + 1));
  std::size_t bytes = 0;
  const Deadline deadline = Deadline::after(command_time_max);
  for (;;) {
    const ByteSpan piece = TRY(child.read_output(deadline, stop));
    if (piece.empty()) break;
    const std::size_t taken = std::min(piece.size(), text.span().size() - bytes);
    std::copy_n(piece.begin(), taken, text.span().begin() + static_cast<long>(bytes));
    vault::wipe_bytes({const_cast<std::byte*>(piece.data()), piece.size()});
    bytes += taken;
  }
  if (child.wait() != 0) return fail(Code::permission, program + " gave no passphrase: " + child.how_it_ended());
  return without_line_end(std::move(text), bytes);
}

}  // namespace

void declare_passphrase(Flags& f, PassphraseSource& source, const std::string& prefix) {
  f.text(prefix + "-fd", source.fd, "read it from this file descriptor, one line");
  f.text(prefix + "-command", source.command, "read it from this program, for example \"/usr/bin/secret-tool lookup hearth vault\"");
}

Result<vault::Secret> read_passphrase(const PassphraseSource& source, const std::string& title, bool twice,
                                      const StopToken& stop) {
  if (!source.command.empty()) return ask_command(source.command, stop);
  if (!source.fd.empty()) {
    int fd = -1;
    const auto [end, error] = std::from_chars(source.fd.data(), source.fd.data() + source.fd.size(), fd);
    if (error != std::errc() || end != source.fd.data() + source.fd.size() || fd < 0) {
      return fail(Code::invalid_argument, "a file descriptor is a number, as in --passphrase-fd 3 3<FILE");
    }
    return read_line(fd, "file descriptor " + source.fd);
  }
  vault::Secret first = TRY(ask_hidden(title));
  if (twice) {
    const vault::Secret second = TRY(ask_hidden(title + ", again"));
    if (!vault::same_bytes(first.span(), second.span())) return fail(Code::invalid_argument, "the two differ; nothing was changed");
  }
  return first;
}

Result<std::string> ask_terminal(const std::string& title) {
  const FileDescriptor terminal = TRY(open_terminal());
  say(terminal, title + ": ");
  const vault::Secret line = TRY(read_line(terminal.get(), "the terminal"));
  return std::string(as_text(line.span()));
}

}  // namespace hearth::cli
