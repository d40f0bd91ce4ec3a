// hearth session new|list|resume|export|forget: conversations that are kept.

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>

#include "hearth/cli/chat_setup.h"
#include "hearth/cli/memory_place.h"
#include "hearth/cli/table.h"
#include "hearth/cli/verbs.h"
#include "hearth/session/transcript.h"

namespace hearth::cli {
namespace {

struct SessionFlags {
  ChatFlags chat;
  std::string format = "markdown";
  std::filesystem::path output;
  std::string confirm;
  bool recover = false;
  bool json = false;
};

void print_json(const Json& json) { std::puts(dump_json(json, 2).c_str()); }

int begin(const SessionFlags& flags) {
  const auto shelf = open_shelf();
  if (!shelf) return report(shelf.error());
  const auto session = new_session(**shelf, flags.chat);
  if (!session) return report(session.error());
  const session::SessionFacts& facts = session->facts();
  if (flags.json) {
    print_json(Json::object({{"id", facts.id}, {"label", facts.label}, {"memory_folder", facts.memory_folder},
                             {"memory_files", session->base().size()}, {"prefix_bytes", session->prefix().size()}}));
  } else {
    fmt::print("{}: {} memory files, {}; hearth chat {} begins\n", facts.id, session->base().size(),
               human_bytes(static_cast<double>(session->prefix().size())), facts.id);
  }
  return exit_done;
}

Json summary(const session::Session& session) {
  const session::SessionFacts& facts = session.facts();
  return Json::object({{"id", facts.id}, {"title", facts.title}, {"label", facts.label}, {"created_s", facts.created_s},
                       {"messages", session.tree().size()}, {"branches", session.tree().leaves().size()},
                       {"memory_folder", facts.memory_folder}, {"unfolded", session.unfolded().size()}});
}

int list(const SessionFlags& flags) {
  const auto shelf = open_shelf();
  if (!shelf) return report(shelf.error());
  const auto ids = (*shelf)->ids();
  if (!ids) return report(ids.error());
  Json sessions = Json::array();
  Json unreadable = Json::array();
  Table table({"session", "label", ">messages", ">memory changes", "title"});
  for (const std::string& id : *ids) {
    const auto session = look_at_session(**shelf, id);
    if (!session) {
      unreadable.push(Json::object({{"id", id}, {"reason", session.error().message}}));
      table.add({id, "?", "", "", session.error().message});
      continue;
    }
    sessions.push(summary(*session));
    table.add({id, session->facts().label, std::to_string(session->tree().size()), std::to_string(session->unfolded().size()),
               session->facts().title});
  }
  if (flags.json) print_json(Json::object({{"sessions", std::move(sessions)}, {"unreadable", std::move(unreadable)}}));
  else fmt::print("{}", ids->empty() ? "no sessions yet; hearth chat NAME begins one\n" : table.text());
  return exit_done;
}

int resume(const SessionFlags& flags, InterruptWatcher& interrupts) {
  const auto shelf = open_shelf();
  if (!shelf) return report(shelf.error());
  auto session = load_session(**shelf, flags.chat.session);
  if (!session) return report(session.error());
  return chat_in(**shelf, *std::move(session), flags.chat, interrupts);
}

int export_one(const SessionFlags& flags) {
  const auto shelf = open_shelf();
  if (!shelf) return report(shelf.error());
  std::vector<std::string> damaged;
  const auto session = look_at_session(**shelf, flags.chat.session, flags.recover ? &damaged : nullptr);
  if (!session) return report(session.error());
  if (session->facts().label == "sealed" && flags.confirm != "in the clear") {
    return report({Code::permission, fmt::format("{} is sealed, and an export is not encrypted: say --confirm \"in the clear\" if that is what "
                                                 "you want", flags.chat.session)});
  }
  for (const std::string& line : damaged) fmt::print(stderr, "not readable: {}\n", line);
  if (!flags.output.empty()) {
    const auto done = session::write_transcript(*session, flags.output);
    return done ? exit_done : report(done.error());
  }
  if (flags.format == "json") print_json(session::session_json(*session));
  else fmt::print("{}", session::transcript_markdown(*session));
  return exit_done;
}

// KV of memory that no other session knows.
bool is_last_with_memory(const session::SessionShelf& shelf, const session::SessionFacts& facts) {
  const auto ids = shelf.ids();
  if (facts.memory_folder.empty() || !ids) return false;
  for (const std::string& other : *ids) {
    if (other == facts.id) continue;
    const auto session = look_at_session(shelf, other);
    if (!session || memory_pin_owner(session->facts()) == memory_pin_owner(facts)) return false;
  }
  return true;
}

// What the server kept of a session that is gone.
struct ForgottenKv {
  bool memory_was_last = false;
  Result<> memory_unpinned;
  Result<Json> dropped = Json::object();
};

ForgottenKv forget_kv(const SessionFlags& flags, const session::SessionFacts& facts, bool last, const StopToken& stop) {
  ForgottenKv out{.memory_was_last = last, .memory_unpinned = {}};
  if (last) out.memory_unpinned = unpin_at(flags.chat.server, memory_pin_owner(facts), stop);
  out.dropped = forget_kv_at(flags.chat.server, flags.chat.session, stop);
  return out;
}

void tell_forgotten(const std::string& id, const session::SessionFacts& facts, const ForgottenKv& kv) {
  fmt::print("{} is gone\n", id);
  if (kv.dropped) {
    const auto count = [&](std::string_view name) { return get<std::int64_t>(*kv.dropped, name).value_or(0); };
    fmt::print("KV: {} chunks dropped, {}; {} stay, because other conversations use them, and {} that are pinned\n", count("dropped"),
               human_bytes(static_cast<double>(count("bytes"))), count("shared"), count("pinned"));
  } else {
    fmt::print(stderr, "its KV is not dropped, because {}. When a server runs: DELETE /v1/hearth/session with the header X-Hearth-Session: {}\n",
               kv.dropped.error().message, id);
  }
  if (kv.memory_was_last && !kv.memory_unpinned) {
    fmt::print(stderr, "the KV of its memory stays pinned, because {}. When it can be let go: DELETE /v1/hearth/pins/{}, or, while no "
                       "server runs, hearth kv unpin {}\n", kv.memory_unpinned.error().message, memory_pin_owner(facts), memory_pin_owner(facts));
  }
}

int forget(const SessionFlags& flags, const StopToken& stop) {
  const std::string& id = flags.chat.session;
  const auto shelf = open_shelf();
  if (!shelf) return report(shelf.error());
  if (flags.confirm != id) {
    return report({Code::invalid_argument, fmt::format("forgetting cannot be undone: say hearth session forget {} --confirm {}", id, id)});
  }
  const auto session = look_at_session(**shelf, id);
  const session::SessionFacts facts = session ? session->facts() : session::SessionFacts{};
  const bool last = is_last_with_memory(**shelf, facts);
  if (const auto gone = (*shelf)->remove(id); !gone) return report(gone.error());
  const ForgottenKv kv = forget_kv(flags, facts, last, stop);
  if (!flags.json) {
    tell_forgotten(id, facts, kv);
    return exit_done;
  }
  print_json(Json::object({{"id", id}, {"forgotten", true}, {"memory_unpinned", last && kv.memory_unpinned},
                           {"kv", kv.dropped ? *kv.dropped : Json(nullptr)}}));
  return exit_done;
}

}  // namespace

Verb session_verb(StopToken stop, InterruptWatcher& interrupts) {
  const auto flags = std::make_shared<SessionFlags>();  // shared by the children
  const auto name = [flags](Flags& f) {
    f.text("session", flags->chat.session, "the session's name");
    f.required();
  };
  const auto json = [flags](Flags& f) { f.toggle("--json", flags->json, "one JSON document"); };
  return {.name = "session",
          .summary = "conversations that are kept: begin, list, go on, export, forget",
          .children = {
              {.name = "new", .summary = "begin a session", .example = "hearth session new journal --memory ~/memory",
               .declare = [=](Flags& f) {
                 f.text("session", flags->chat.session, "its name; default: the time");
                 declare_session_flags(f, flags->chat);
                 json(f);
               },
               .run = [flags] { return begin(*flags); }},
              {.name = "list", .summary = "all sessions", .example = "hearth session list --json", .declare = json,
               .run = [flags] { return list(*flags); }},
              {.name = "resume", .summary = "go on with a session", .example = "hearth session resume journal",
               .declare = [=](Flags& f) { name(f); declare_talk_flags(f, flags->chat); },
               .run = [flags, &interrupts] { return resume(*flags, interrupts); }},
              {.name = "export", .summary = "a session as Markdown or JSON, in the clear",
               .example = "hearth session export journal --output journal.md",
               .declare = [=](Flags& f) {
                 name(f);
                 f.choice("--format", flags->format, {"markdown", "json"}, "JSON has all branches");
                 f.path("--output,-o", flags->output, "a new file; .json for JSON");
                 f.text("--confirm", flags->confirm, "\"in the clear\", for a sealed session");
                 f.toggle("--recover", flags->recover, "what is readable of a damaged session");
               },
               .run = [flags] { return export_one(*flags); }},
              {.name = "forget", .summary = "delete a session", .example = "hearth session forget journal --confirm journal",
               .declare = [=](Flags& f) {
                 name(f);
                 f.text("--confirm", flags->confirm, "its name again");
                 f.text("--server", flags->chat.server, "who keeps its KV");
                 json(f);
               },
               .run = [flags, stop] { return forget(*flags, stop); }}}};
}

}  // namespace hearth::cli
