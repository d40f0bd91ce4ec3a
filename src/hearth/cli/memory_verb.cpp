// hearth memory: the files that every session begins with, in a plain folder or in the vault.

#include <fmt/format.h>

#include <cstdio>

#include "hearth/base/digest.h"
#include "hearth/cli/chat_setup.h"
#include "hearth/cli/memory_edit.h"
#include "hearth/cli/memory_place.h"
#include "hearth/cli/memory_verbs.h"
#include "hearth/cli/table.h"
#include "hearth/cli/verbs.h"
#include "hearth/session/chat_loop.h"
#include "hearth/session/line_diff.h"
#include "hearth/session/memory_prefix.h"

namespace hearth::cli {
namespace {

using session::MemoryFiles;

Json changes_json(const MemoryFiles& before, const MemoryFiles& after) {
  Json out = Json::array();
  for (const session::MemoryChange& change : session::changes_between(before, after)) {
    const auto old = before.find(change.path);
    const bool is_new = old == before.end();
    out.push(Json::object({{"path", change.path},
                           {"change", is_new ? "added" : change.text ? "changed" : "removed"},
                           {"diff", session::unified_diff(is_new ? "" : old->second, change.text.value_or(""))}}));
  }
  return out;
}

Result<> show(const MemoryFlags& flags) {
  const auto folder = TRY(folder_of(flags));
  const auto place = TRY(open_memory(folder));
  const MemoryFiles files = TRY(place->read());
  Json list = Json::array();
  Table table({"file", ">bytes"});
  for (const auto& [path, text] : files) {
    list.push(Json::object({{"path", path}, {"bytes", text.size()}, {"digest", blake2b(as_byte_span(text)).hex()}}));
    table.add({path, std::to_string(text.size())});
  }
  const std::string prefix = session::render_prefix("", files);
  if (flags.json) {
    print_json(Json::object({{"folder", folder}, {"files", std::move(list)}, {"prefix_bytes", prefix.size()},
                             {"prefix_digest", blake2b(as_byte_span(prefix)).hex()}}));
  } else {
    fmt::print("{}{}: {} files, {} as the model reads them\n", table.text(), folder, files.size(),
               human_bytes(static_cast<double>(prefix.size())));
  }
  return {};
}

// Of each session over this folder: what the folder does not have yet. Of one that is named, also
// what became of memory since it began.
Result<> diff(const MemoryFlags& flags) {
  const auto shelf = TRY(open_shelf());
  std::vector<std::string> ids = {flags.session};
  std::string folder;
  if (flags.session.empty()) {
    folder = TRY(folder_of(flags));
    ids = TRY(shelf->ids());
  }
  Json sessions = Json::array();
  std::string text;
  for (const std::string& id : ids) {
    const auto one = look_at_session(*shelf, id);
    if (!one && flags.session.empty()) continue;  // hearth session list names it
    if (!one) return std::unexpected(one.error());
    if (flags.session.empty() && one->facts().memory_folder != folder) continue;
    Json item = Json::object({{"id", id}, {"memory_folder", one->facts().memory_folder}, {"unfolded", changes_json(one->disk(), one->view())}});
    if (!flags.session.empty()) item.set("since_begin", changes_json(one->base(), one->view()));
    sessions.push(std::move(item));
    const std::string changes = session::memory_diff_text(flags.session.empty() ? one->disk() : one->base(), one->view());
    if (!changes.empty()) text += fmt::format("session {}\n{}", id, changes);
  }
  if (flags.json) print_json(Json::object({{"folder", folder}, {"sessions", std::move(sessions)}}));
  else fmt::print("{}", text.empty() ? "no changes\n" : text);
  return {};
}

// What a change begins from.
struct Memory {
  std::string folder;
  std::unique_ptr<session::MemoryPlace> place;
  MemoryFiles files;
};
Result<Memory> memory_to_change(const MemoryFlags& flags) {
  Memory out;
  out.folder = TRY(folder_of(flags));
  TRY(session::check_memory_path(flags.path));
  out.place = TRY(open_memory(out.folder, /*make=*/true));
  out.files = TRY(out.place->read());
  return out;
}

// Writes one file with the care of a session that ends: the old version is kept.
Result<> write_file(const MemoryFlags& flags, Memory memory, std::string text) {
  const std::string& folder = memory.folder;
  MemoryFiles wanted = memory.files;
  wanted[flags.path] = std::move(text);
  const auto report = TRY(memory.place->fold(memory.files, wanted, session::time_stamp(unix_time_s())));
  if (!report.conflicts.empty()) {
    return fail(Code::unavailable, fmt::format("{} was changed by somebody else just now and left as it is there; your text is in {}",
                                               flags.path, report.set_aside));
  }
  if (flags.json) {
    print_json(Json::object({{"folder", folder}, {"path", flags.path}, {"written", !report.written.empty()},
                             {"backup", report.backup.string()}}));
  } else {
    fmt::print("{}{}\n", report.written.empty() ? "unchanged: " : "written: ", flags.path);
  }
  return {};
}

Result<> add(const MemoryFlags& flags) {
  Memory memory = TRY(memory_to_change(flags));
  std::string more = flags.text;
  if (more.empty() || more == "-") more = TRY(read_standard_input(session::memory_file_bytes_max));
  const auto old = memory.files.find(flags.path);
  std::string text = old == memory.files.end() ? std::string() : old->second;
  if (!text.empty() && !text.ends_with('\n')) text += '\n';
  text += more;
  if (!text.ends_with('\n')) text += '\n';
  return write_file(flags, std::move(memory), std::move(text));
}

Result<> edit(const MemoryFlags& flags) {
  Memory memory = TRY(memory_to_change(flags));
  const auto old = memory.files.find(flags.path);
  std::string text = flags.text;
  if (text.empty()) {
    text = TRY(edit_text(flags.path, old == memory.files.end() ? std::string() : old->second, memory.place->is_sealed()));
  } else if (text == "-") {
    text = TRY(read_standard_input(session::memory_file_bytes_max));
  }
  return write_file(flags, std::move(memory), std::move(text));
}

Result<> fold(const MemoryFlags& flags) {
  const auto shelf = TRY(open_shelf());
  session::Session one = TRY(load_session(*shelf, flags.session));
  if (one.facts().memory_folder.empty()) return fail(Code::invalid_argument, "this session has no memory folder");
  const auto place = TRY(open_memory(one.facts().memory_folder));
  const auto report = TRY(one.fold(*place, session::time_stamp(unix_time_s()) + "-" + flags.session));
  if (flags.json) {
    const auto list = [](const std::vector<std::string>& paths) {
      Json out = Json::array();
      for (const std::string& path : paths) out.push(path);
      return out;
    };
    print_json(Json::object({{"session", flags.session}, {"written", list(report.written)}, {"removed", list(report.removed)},
                             {"conflicts", list(report.conflicts)}, {"backup", report.backup.string()}}));
    return {};
  }
  fmt::print("{} files written, {} removed\n", report.written.size(), report.removed.size());
  for (const std::string& path : report.conflicts) {
    fmt::print("{}: changed in the folder as well, left as it is there; the session's version is in {}\n", path, report.set_aside);
  }
  return {};
}

Result<> export_all(const MemoryFlags& flags) {
  MemoryFiles files;
  if (flags.session.empty()) {
    const auto folder = TRY(folder_of(flags));
    const auto place = TRY(open_memory(folder));
    TRY(check_in_the_clear(flags, place->is_sealed(), folder));
    files = TRY(place->read());
  } else {
    const auto shelf = TRY(open_shelf());
    const session::Session one = TRY(look_at_session(*shelf, flags.session));
    TRY(check_in_the_clear(flags, one.facts().label == "sealed", flags.session));
    files = one.view();
  }
  std::string text;
  if (flags.json) {
    Json all = Json::object();
    for (const auto& [path, content] : files) all.set(path, content);
    text = dump_json(Json::object({{"files", std::move(all)}, {"digest", session::digest_of(files).hex()}}), 2) + "\n";
  } else {
    for (const auto& [path, content] : files) text += fmt::format("# {}\n\n{}{}\n", path, content, content.ends_with('\n') ? "" : "\n");
  }
  if (flags.output.empty()) {
    std::fwrite(text.data(), 1, text.size(), stdout);
    return {};
  }
  std::error_code ignored;
  if (std::filesystem::exists(flags.output, ignored)) {
    return fail(Code::invalid_argument, flags.output.string() + " is there already; choose another name");
  }
  const ByteSpan part = as_byte_span(text);
  return real_file_system()->write_atomically(flags.output, std::span(&part, 1), Durability::survives_process);
}

Verb child(std::string name, std::string summary, std::string example, std::shared_ptr<MemoryFlags> flags,
           std::function<void(Flags&)> declare, Result<> (*run)(const MemoryFlags&)) {
  return {.name = std::move(name), .summary = std::move(summary), .example = std::move(example),
          .declare = [flags, declare](Flags& f) {
            declare(f);
            f.path("--memory", flags->folder, "the folder, or vault:NAME (default: memory in the configuration directory)");
            f.toggle("--json", flags->json, "one JSON document");
          },
          .run = [flags, run] {
            const auto done = run(*flags);
            return done ? exit_done : report(done.error());
          }};
}

}  // namespace

Verb memory_verb(StopToken) {
  const auto flags = std::make_shared<MemoryFlags>();  // shared by the children
  const auto path = [flags](Flags& f) {
    f.text("path", flags->path, "of the file in the folder, as in notes/family.md");
    f.required();
  };
  const auto confirm = [flags](Flags& f) { f.text("--confirm", flags->confirm, "\"in the clear\", for sealed text"); };
  const auto session = [flags](Flags& f) { f.text("--session", flags->session, "as this session has it"); };
  return {.name = "memory",
          .summary = "the files that every session begins with: show, compare, change, import, export",
          .children = {
              child("list", "the usual folder, and those of the vault", "hearth memory list", flags, [](Flags&) {}, list_memory),
              child("show", "what a session would load", "hearth memory show", flags, [](Flags&) {}, show),
              child("diff", "what sessions changed", "hearth memory diff --session journal", flags, session, diff),
              child("add", "text at the end of a file, or a new file", "hearth memory add notes/cat.md \"Her name is Mia.\"", flags,
                    [=](Flags& f) { path(f); f.text("text", flags->text, "- or nothing: standard input"); }, add),
              child("edit", "a file's text anew, in your editor", "hearth memory edit notes/cat.md", flags,
                    [=](Flags& f) { path(f); f.text("--text", flags->text, "the new text instead; -: standard input"); }, edit),
              child("fold", "write what a session changed into the folder", "hearth memory fold journal", flags,
                    [flags](Flags& f) { f.text("session", flags->session, "its name"); f.required(); }, fold),
              child("export", "everything as one Markdown document", "hearth memory export --output memory.md", flags,
                    [=](Flags& f) { session(f); confirm(f); f.path("--output,-o", flags->output, "a new file"); }, export_all),
              child("import", "the files of another folder into this one", "hearth memory import ~/diary --memory vault:diary", flags,
                    [=](Flags& f) { f.path("from", flags->from, "a folder, or vault:NAME"); f.required(); confirm(f); }, import_memory),
              child("history", "all versions of the vault's files", "hearth memory history --memory vault:diary", flags,
                    [flags](Flags& f) { f.count("version", flags->version, "print this one"); }, memory_history),
              child("forget", "wipe memory of the vault, with all versions", "hearth memory forget --memory vault:diary --confirm vault:diary",
                    flags, [flags](Flags& f) { f.text("--confirm", flags->confirm, "its name again"); }, forget_memory)}};
}

}  // namespace hearth::cli
