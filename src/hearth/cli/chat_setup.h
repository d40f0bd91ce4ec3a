#pragma once
// What the verbs about sessions share: where sessions and memory are, and a chat with a server.

#include <memory>

#include "hearth/cli/command_line.h"
#include "hearth/cli/interrupt.h"
#include "hearth/session/session.h"

namespace hearth::cli {

struct ChatFlags {
  std::string session;
  std::filesystem::path memory;      // or vault:NAME; empty: memory/ in the configuration directory, if it is there
  bool no_memory = false, no_memory_tool = false;
  std::string instructions;
  std::filesystem::path instructions_file;
  std::string label = "open", title, adapter;

  std::string server = "http://127.0.0.1:8484";
  std::filesystem::path model;       // start a server of our own
  std::vector<std::string> serve_flags;
  std::string thinking = "hidden";   // shown, hidden, off
  std::uint32_t tokens_max = 0;
  double temperature = -1;
  std::uint32_t seed = 0;
  bool keep_changes = false, no_read_ahead = false;
};
void declare_session_flags(Flags& f, ChatFlags& flags);
void declare_talk_flags(Flags& f, ChatFlags& flags);

// sessions/ in the configuration directory.
Result<std::unique_ptr<session::SessionShelf>> open_shelf();
// Begins one. `flags.session` may be empty: then it is named after the time.
Result<session::Session> new_session(session::SessionShelf& shelf, const ChatFlags& flags);
Result<session::Session> load_session(session::SessionShelf& shelf, const std::string& id);
// Looks only, while somebody else may write.
Result<session::Session> look_at_session(const session::SessionShelf& shelf, const std::string& id,
                                         std::vector<std::string>* damaged = nullptr);

// From the opening to the end of input; the exit code.
int chat_in(session::SessionShelf& shelf, session::Session session, const ChatFlags& flags, InterruptWatcher& interrupts);
// Tells the server to let KV go that is kept under that name.
Result<> unpin_at(const std::string& server, const std::string& owner, const StopToken& stop);
// Tells it to drop the KV of a session that no other uses; what it says of it.
Result<Json> forget_kv_at(const std::string& server, const std::string& session, const StopToken& stop);

std::int64_t unix_time_s();

}  // namespace hearth::cli
