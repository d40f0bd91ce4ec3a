// hearth chat: talk to a model in a session that remembers.

#include "hearth/cli/chat_setup.h"
#include "hearth/cli/verbs.h"

namespace hearth::cli {
namespace {

int chat(const ChatFlags& flags, InterruptWatcher& interrupts) {
  const auto shelf = open_shelf();
  if (!shelf) return report(shelf.error());
  std::error_code ignored;
  const bool exists = !flags.session.empty() && std::filesystem::exists((*shelf)->path_of(flags.session), ignored);
  auto session = exists ? load_session(**shelf, flags.session) : new_session(**shelf, flags);
  if (!session) return report(session.error());
  return chat_in(**shelf, *std::move(session), flags, interrupts);
}

}  // namespace

Verb chat_verb(InterruptWatcher& interrupts) {
  const auto flags = std::make_shared<ChatFlags>();
  return {.name = "chat",
          .summary = "talk to a model, with memory; goes on with a session or begins one",
          .example = "hearth chat journal --memory ~/memory",
          .declare =
              [flags](Flags& f) {
                f.text("session", flags->session, "the session's name; a new one begins, an old one goes on");
                declare_session_flags(f, *flags);
                declare_talk_flags(f, *flags);
              },
          .run = [flags, &interrupts] { return chat(*flags, interrupts); }};
}

}  // namespace hearth::cli
