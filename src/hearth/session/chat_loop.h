#pragma once
// A chat from its opening to its end: reads lines, carries out commands, asks the model, keeps the
// session, says how full the window is. Nothing is left out or summarised unless the person says so.
// One thread; blocks in the screen and in the service.

#include <functional>
#include <memory>
#include <optional>

#include "hearth/session/chat_command.h"
#include "hearth/session/chat_turn.h"

namespace hearth::session {

// From here on the person is told at each further twentieth of the window.
inline constexpr double window_warning_fraction = 0.85;

struct ChatParts {
  SessionShelf& shelf;
  // Both ask the same service; the second pins what it reads (read_ahead).
  upstream::Endpoint& answers;
  upstream::Endpoint& memory;
  ChatScreen& screen;
  MemoryPlace* place = nullptr;     // of the session's memory folder; nullptr: it has none
  AskOptions ask;
  std::uint32_t window_tokens = 0;  // 0: not known
  bool reads_ahead = true;          // the service can read a prompt without answering
  bool keeps_changes = false;       // leave without folding memory
  std::function<std::int64_t()> now_s;  // since 1970
  StopToken stop;                   // the program is to end
};

class ChatLoop {
 public:
  ChatLoop(ChatParts parts, Session session) : parts_(std::move(parts)), session_(std::move(session)) {}
  // An error is one of the session's file, after which nothing more can be kept.
  Result<> run();
  const Session& session() const { return session_; }
  // Something said was not answered: for the exit code of a script.
  bool had_failure() const { return had_failure_; }

 private:
  Result<> open();
  Result<> leave();
  Result<> handle(const ChatCommand& command);
  Result<> say(const std::string& text);
  Result<> ask();
  Result<> send_again();
  Result<> retry();
  Result<> undo();
  Result<> edit(const ChatCommand& command);
  Result<> go(std::uint32_t branch);
  Result<> leave_out(std::uint32_t turns);
  Result<> handover();
  Result<> raise_label(const std::string& label);
  Result<> save(const std::string& file);
  Result<> memory(std::string_view arguments);
  Result<> undo_memory(const std::string& path);
  Result<> fold();
  Result<> see_disk();
  Result<> read_memory_ahead(const chat::Conversation& opening, const MemoryFiles& files);
  void show_branches();
  void show_budget();
  void show_memory();
  void warn_of_window();
  void tell(const Result<>& done);  // an error of the person's, not of the file

  ChatParts parts_;
  Session session_;
  ContextUse use_;
  std::string draft_;  // what did not fit
  int warned_twentieth_ = 0;
  bool left_ = false;
  bool had_failure_ = false;
};

// How full the window was after the last answer on the way to the head.
ContextUse context_use(const Session& session, std::uint32_t window_tokens);

// 20261128T142503Z: of backups.
std::string time_stamp(std::int64_t at_s);

}  // namespace hearth::session
