// hearth memory show|diff|add|edit|fold|export: the files that every session begins with.

#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <fstream>

#include "hearth/base/digest.h"
#include "hearth/cli/chat_setup.h"
#include "hearth/cli/environment.h"
#include "hearth/cli/table.h"
#include "hearth/cli/verbs.h"
#include "hearth/session/chat_loop.h"
#include "hearth/session/line_diff.h"
#include "hearth/session/memory_prefix.h"

extern char** environ;

namespace hearth::cli {
namespace {

using session::MemoryFiles;

struct MemoryFlags {
  std::filesystem::path folder;
  std::string path, text, session;
  std::filesystem::path output;
  bool json = false;
};

void print_json(const Json& json) { std::puts(dump_json(json, 2).c_str()); }

Result<std::filesystem::path> folder_of(const MemoryFlags& flags) {
  auto folder = TRY(memory_folder(flags.folder));
  if (folder.empty()) {
    return fail(Code::not_found, "no memory folder: name one with --memory DIR, or make memory in the configuration directory");
  }
  return folder;
}

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
  const MemoryFiles files = TRY(session::read_memory_folder(folder));
  Json list = Json::array();
  Table table({"file", ">bytes"});
  for (const auto& [path, text] : files) {
    list.push(Json::object({{"path", path}, {"bytes", text.size()}, {"digest", blake2b(as_byte_span(text)).hex()}}));
    table.add({path, std::to_string(text.size())});
  }
  const std::string prefix = session::render_prefix("", files);
  if (flags.json) {
    print_json(Json::object({{"folder", folder.string()}, {"files", std::move(list)}, {"prefix_bytes", prefix.size()},
                             {"prefix_digest", blake2b(as_byte_span(prefix)).hex()}}));
  } else {
    fmt::print("{}{}: {} files, {} as the model reads them\n", table.text(), folder.string(), files.size(),
               human_bytes(static_cast<double>(prefix.size())));
  }
  return {};
}

// Of each session over this folder: what the folder does not have yet. Of one that is named, also
// what became of memory since it began.
Result<> diff(const MemoryFlags& flags) {
  const auto shelf = TRY(open_shelf());
  std::vector<std::string> ids = {flags.session};
  std::filesystem::path folder;
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
    if (flags.session.empty() && one->facts().memory_folder != folder.string()) continue;
    Json item = Json::object({{"id", id}, {"memory_folder", one->facts().memory_folder}, {"unfolded", changes_json(one->disk(), one->view())}});
    if (!flags.session.empty()) item.set("since_begin", changes_json(one->base(), one->view()));
    sessions.push(std::move(item));
    const std::string changes = session::memory_diff_text(flags.session.empty() ? one->disk() : one->base(), one->view());
    if (!changes.empty()) text += fmt::format("session {}\n{}", id, changes);
  }
  if (flags.json) print_json(Json::object({{"folder", folder.string()}, {"sessions", std::move(sessions)}}));
  else fmt::print("{}", text.empty() ? "no changes\n" : text);
  return {};
}

Result<std::string> read_all(std::FILE* from) {
  std::string out;
  char buffer[65536];
  for (std::size_t got = 0; (got = std::fread(buffer, 1, sizeof(buffer), from)) > 0;) {
    out.append(buffer, got);
    if (out.size() > session::memory_file_bytes_max) {
      return fail(Code::resource_exhausted, fmt::format("a memory file has at most {} bytes", session::memory_file_bytes_max));
    }
  }
  return out;
}

// Writes one file with the care of a session that ends: aside, renamed, the old one kept.
Result<> write_file(const MemoryFlags& flags, const std::filesystem::path& folder, const MemoryFiles& known, std::string text) {
  MemoryFiles wanted = known;
  wanted[flags.path] = std::move(text);
  const std::string stamp = session::time_stamp(unix_time_s());
  const auto report = TRY(session::fold_memory(folder, known, wanted, stamp));
  if (!report.conflicts.empty()) {
    return fail(Code::unavailable, fmt::format("{0} was changed by somebody else just now and left as it is there; your text is in "
                                               ".hearth/backup/{1}/{0}.session of the folder", flags.path, stamp));
  }
  if (flags.json) {
    print_json(Json::object({{"folder", folder.string()}, {"path", flags.path}, {"written", !report.written.empty()},
                             {"backup", report.backup.string()}}));
  } else {
    fmt::print("{}{}\n", report.written.empty() ? "unchanged: " : "written: ", flags.path);
  }
  return {};
}

Result<> add(const MemoryFlags& flags) {
  const auto folder = TRY(folder_of(flags));
  TRY(session::check_memory_path(flags.path));
  const MemoryFiles known = TRY(session::read_memory_folder(folder));
  std::string more = flags.text;
  if (more.empty() || more == "-") more = TRY(read_all(stdin));
  const auto old = known.find(flags.path);
  std::string text = old == known.end() ? std::string() : old->second;
  if (!text.empty() && !text.ends_with('\n')) text += '\n';
  text += more;
  if (!text.ends_with('\n')) text += '\n';
  return write_file(flags, folder, known, std::move(text));
}

// The user's own editor on a private copy.
Result<std::string> edited(const std::string& name, const std::string& text) {
  const std::string editor = editor_variable();
  if (editor.empty() || ::isatty(STDIN_FILENO) != 1) {
    return fail(Code::invalid_argument, "no new text: give it with --text, on standard input with --text -, or set EDITOR in a terminal");
  }
  const TemporaryDirectory directory = TRY(TemporaryDirectory::create("hearth-memory"));
  const std::filesystem::path copy = directory.path() / std::filesystem::path(name).filename();
  const ByteSpan part = as_byte_span(text);
  TRY(real_file_system()->write_atomically(copy, std::span(&part, 1), Durability::survives_process));
  const std::string command = editor + " \"$1\"";  // an EDITOR may have flags
  const std::string path = copy.string();
  const char* arguments[] = {"sh", "-c", command.c_str(), "sh", path.c_str(), nullptr};
  pid_t child = 0;
  int status = 0;
  if (const int error = ::posix_spawn(&child, "/bin/sh", nullptr, nullptr, const_cast<char**>(arguments), environ); error != 0) {
    return fail_errno("start", editor, error);
  }
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (status != 0) return fail(Code::cancelled, "the editor ended with an error: nothing was changed");
  return read_text_file(copy, session::memory_file_bytes_max);
}

Result<> edit(const MemoryFlags& flags) {
  const auto folder = TRY(folder_of(flags));
  TRY(session::check_memory_path(flags.path));
  const MemoryFiles known = TRY(session::read_memory_folder(folder));
  const auto old = known.find(flags.path);
  std::string text = flags.text;
  if (text.empty()) text = TRY(edited(flags.path, old == known.end() ? std::string() : old->second));
  else if (text == "-") text = TRY(read_all(stdin));
  return write_file(flags, folder, known, std::move(text));
}

Result<> fold(const MemoryFlags& flags) {
  const auto shelf = TRY(open_shelf());
  session::Session one = TRY(load_session(*shelf, flags.session));
  const auto report = TRY(one.fold(session::time_stamp(unix_time_s()) + "-" + flags.session));
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
    fmt::print("{}: changed in the folder as well, left as it is there; the session's version is in .hearth/backup\n", path);
  }
  return {};
}

Result<> export_all(const MemoryFlags& flags) {
  MemoryFiles files;
  if (flags.session.empty()) {
    const auto folder = TRY(folder_of(flags));
    files = TRY(session::read_memory_folder(folder));
  } else {
    const auto shelf = TRY(open_shelf());
    const session::Session one = TRY(look_at_session(*shelf, flags.session));
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
            f.path("--memory", flags->folder, "the folder (default: memory in the configuration directory)");
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
  const auto session = [flags](Flags& f) { f.text("--session", flags->session, "as this session has it"); };
  return {.name = "memory",
          .summary = "the files that every session begins with: show, compare, change, export",
          .children = {
              child("show", "what a session would load", "hearth memory show", flags, [](Flags&) {}, show),
              child("diff", "what sessions changed", "hearth memory diff --session journal", flags, session, diff),
              child("add", "text at the end of a file, or a new file", "hearth memory add notes/cat.md \"Her name is Mia.\"", flags,
                    [=](Flags& f) { path(f); f.text("text", flags->text, "- or nothing: standard input"); }, add),
              child("edit", "a file's text anew, in your editor", "hearth memory edit notes/cat.md", flags,
                    [=](Flags& f) { path(f); f.text("--text", flags->text, "the new text instead; -: standard input"); }, edit),
              child("fold", "write what a session changed into the folder", "hearth memory fold journal", flags,
                    [flags](Flags& f) { f.text("session", flags->session, "its name"); f.required(); }, fold),
              child("export", "everything as one Markdown document", "hearth memory export --output memory.md", flags,
                    [=](Flags& f) { session(f); f.path("--output,-o", flags->output, "a new file"); }, export_all)}};
}

}  // namespace hearth::cli
