// The commands of a chat that concern memory.
#include <fmt/format.h>

#include "hearth/session/chat_loop.h"
#include "hearth/session/memory_prefix.h"

namespace hearth::session {
namespace {

// "add notes/a.md text" to its words; the last one takes the rest.
std::string_view next_word(std::string_view& rest) {
  const std::size_t end = std::min(rest.find(' '), rest.size());
  const std::string_view word = rest.substr(0, end);
  rest.remove_prefix(std::min(rest.size(), end + 1));
  return word;
}

}  // namespace

Result<> ChatLoop::see_disk() {
  if (parts_.place == nullptr) return {};
  const auto now = parts_.place->read();
  if (!now) {
    parts_.screen.notice("memory is as it was, the folder was not read again: " + now.error().message);
    return {};
  }
  const auto conflicts = TRY(session_.see_disk(*now));
  for (const std::string& path : conflicts) {
    parts_.screen.notice(fmt::format("{} was changed both here and in the folder; the folder's version will win when memory is "
                                     "folded, and this session's is kept beside it", path));
  }
  return {};
}

Result<> ChatLoop::memory(std::string_view arguments) {
  if (parts_.place == nullptr) {
    parts_.screen.notice("this session has no memory folder; hearth chat --memory DIR begins one that has");
    return {};
  }
  const std::string_view verb = next_word(arguments);
  const std::string path(next_word(arguments));
  if (verb.empty()) {
    show_memory();
    return {};
  }
  if (verb == "diff") {
    const std::string diff = memory_diff_text(session_.disk(), session_.view());
    parts_.screen.print(diff.empty() ? "nothing that the folder does not have\n" : diff);
    return {};
  }
  if (verb == "fold") return fold();
  Result<> done;
  if (path.empty()) {
    parts_.screen.notice("/memory add PATH TEXT, /memory remove PATH, /memory undo PATH, /memory diff, /memory fold");
    return {};
  }
  if (verb == "undo") return undo_memory(path);
  if (verb == "remove") {
    done = session_.view().contains(path) ? session_.change_memory({{path, std::nullopt}})
                                          : fail(Code::not_found, "no memory file " + path);
  } else if (verb == "add") {
    const auto old = session_.view().find(path);
    std::string text = old == session_.view().end() ? std::string() : old->second;
    if (!text.empty() && !text.ends_with('\n')) text += '\n';
    done = session_.change_memory({{path, text + std::string(arguments) + "\n"}});
  } else {
    done = fail(Code::invalid_argument, fmt::format("/memory {}: not known; /help has the forms", verb));
  }
  if (done) {
    parts_.screen.notice(fmt::format("{}: the model is told with your next message, the folder when you leave", path));
  } else if (done.error().code == Code::invalid_argument || done.error().code == Code::not_found ||
             done.error().code == Code::resource_exhausted) {
    tell(done);
  } else {
    return done;
  }
  return {};
}

Result<> ChatLoop::undo_memory(const std::string& path) {
  const auto there = session_.disk().find(path);
  const auto here = session_.view().find(path);
  const std::optional<std::string> old = there == session_.disk().end() ? std::nullopt : std::optional(there->second);
  if ((here == session_.view().end() && !old) || (here != session_.view().end() && old == here->second)) {
    parts_.screen.notice(path + ": nothing was changed here");
    return {};
  }
  TRY(session_.change_memory({{path, old}}));
  parts_.screen.notice(path + " is as the folder has it again");
  return {};
}

void ChatLoop::show_memory() {
  std::string out;
  for (const auto& [path, text] : session_.view()) {
    const auto there = session_.disk().find(path);
    const bool changed = there == session_.disk().end() || there->second != text;
    out += fmt::format("{} {:>9}  {}\n", changed ? '*' : ' ', text.size(), path);
  }
  parts_.screen.print(out.empty() ? "no files yet\n" : out);
}

Result<> ChatLoop::fold() {
  const auto changes = session_.unfolded();
  if (changes.empty() || parts_.place == nullptr) return {};
  parts_.screen.print(memory_diff_text(session_.disk(), session_.view()));
  const auto report = session_.fold(*parts_.place, time_stamp(parts_.now_s()) + "-" + session_.facts().id);
  if (!report) {
    parts_.screen.notice("memory was not written, the changes stay in the session: " + report.error().message);
    had_failure_ = true;
    return {};
  }
  parts_.screen.notice(fmt::format("memory: {} files written, {} removed{}", report->written.size(), report->removed.size(),
                                   report->backup.empty() ? "" : "; the old versions are in " + report->backup.string()));
  for (const std::string& path : report->conflicts) {
    parts_.screen.notice(path + " was changed in the folder meanwhile and left as it is there; this session's version is in " + report->set_aside);
  }
  // So that the next session begins as quickly as this one did.
  if (!parts_.reads_ahead || parts_.stop.stop_requested()) return {};
  chat::Conversation next = session_.opening();
  if (next.messages.empty()) return {};
  next.messages.front().text = render_prefix(session_.facts().instructions, session_.view());
  return read_memory_ahead(next, session_.view());
}

}  // namespace hearth::session
