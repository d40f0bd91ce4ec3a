#include "hearth/session/chat_loop.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "hearth/session/memory_prefix.h"
#include "hearth/session/transcript.h"

namespace hearth::session {
namespace {

constexpr std::size_t preview_bytes = 60;
constexpr std::string_view handover_request =
    "Write a note that lets somebody who has my memory files but has not read this conversation go on with it: "
    "what we talked about, what was decided, what is open, and how I felt about it. Facts only from this "
    "conversation. I will read and correct it.";

std::string first_words(std::string_view text) {
  std::string out(text.substr(0, std::min(text.find('\n'), preview_bytes)));
  while (!out.empty() && (static_cast<unsigned char>(out.back()) & 0xC0) == 0x80) out.pop_back();  // whole characters
  if (out.size() < text.size()) out += " ...";
  return out;
}

// A session's file failed, or the folder of memory: the first ends the chat.
bool is_own_mistake(const Error& error) {
  return error.code == Code::invalid_argument || error.code == Code::not_found || error.code == Code::resource_exhausted;
}

}  // namespace

std::string time_stamp(std::int64_t at_s) {
  const std::chrono::sys_seconds time{std::chrono::seconds(at_s)};
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(time - day);
  return fmt::format("{:04}{:02}{:02}T{:02}{:02}{:02}Z", static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                     static_cast<unsigned>(date.day()), clock.hours().count(), clock.minutes().count(),
                     clock.seconds().count());
}

ContextUse context_use(const Session& session, std::uint32_t window_tokens) {
  ContextUse out{.window_tokens = window_tokens};
  for (const Node* node : session.tree().path()) {
    if (node->prompt_tokens > 0) out.used_tokens = node->prompt_tokens + node->answer_tokens;
  }
  return out;
}

Result<> ChatLoop::run() {
  TRY(open());
  while (!left_ && !parts_.stop.stop_requested()) {
    const auto line = parts_.screen.read_line("> ", "");
    if (!line) break;
    if (line->find_first_not_of(" \t\r\n") == std::string::npos) continue;
    TRY(handle(read_chat_command(*line)));
  }
  return leave();
}

Result<> ChatLoop::open() {
  use_ = context_use(session_, parts_.window_tokens);
  TRY(see_disk());
  if (parts_.reads_ahead && !session_.prefix().empty()) TRY(read_memory_ahead(session_.opening(), session_.base()));
  if (session_.tree().head() != 0) {
    parts_.screen.print(transcript_text(session_, {.last_turns = 2, .thinking = false}));
    show_budget();
  }
  return {};
}

Result<> ChatLoop::read_memory_ahead(const chat::Conversation& opening, const MemoryFiles& files) {
  const StopToken stop = parts_.screen.begin_answer();
  const Instant began = std::chrono::steady_clock::now();
  const auto usage = read_ahead(opening, parts_.memory, parts_.ask,
                                [this](double fraction) { parts_.screen.progress(fraction); }, stop);
  const double took_s = seconds(std::chrono::steady_clock::now() - began);
  parts_.screen.end_answer({});
  if (usage) {
    use_.used_tokens = std::max(use_.used_tokens, usage->prompt_tokens);
    parts_.screen.notice(fmt::format("memory: {} files, {} tokens, {} of them kept from before; {:.1f} s", files.size(),
                                     usage->prompt_tokens, usage->cached_tokens, took_s));
  } else if (!stop.stop_requested()) {
    parts_.screen.notice("memory was not read ahead: " + usage.error().message);
  }
  return {};
}

Result<> ChatLoop::leave() {
  const bool place_is_sealed = parts_.place != nullptr && parts_.place->is_sealed();
  if (parts_.keeps_changes || (session_.facts().label == "sealed" && !place_is_sealed)) {
    if (const auto changes = session_.unfolded(); !changes.empty()) {
      parts_.screen.notice(fmt::format("{} changes of memory stay in the session; hearth memory diff shows them", changes.size()));
    }
    return {};
  }
  TRY(fold());
  return {};
}

void ChatLoop::tell(const Result<>& done) {
  if (!done) parts_.screen.notice(done.error().message);
}

Result<> ChatLoop::handle(const ChatCommand& command) {
  using Kind = ChatCommand::Kind;
  switch (command.kind) {
    case Kind::say: return say(command.text);
    case Kind::help: parts_.screen.print(chat_help()); return {};
    case Kind::quit: left_ = true; return {};
    case Kind::send: return send_again();
    case Kind::retry: return retry();
    case Kind::undo: return undo();
    case Kind::edit: return edit(command);
    case Kind::branches: show_branches(); return {};
    case Kind::go: return go(command.number);
    case Kind::thinking: parts_.screen.show_thinking(command.text != "off"); return {};
    case Kind::memory: return memory(command.text);
    case Kind::budget: show_budget(); return {};
    case Kind::leave_out: return leave_out(command.number);
    case Kind::handover: return handover();
    case Kind::label: return raise_label(command.text);
    case Kind::title: return session_.set_title(command.text);
    case Kind::save: return save(command.text);
    case Kind::unknown:
      parts_.screen.notice(fmt::format("no command /{}; /help lists them, and // begins a line with a slash", command.text));
  }
  return {};
}

Result<> ChatLoop::say(const std::string& text) {
  TRY(see_disk());
  TRY(session_.say(text, parts_.now_s()));
  return ask();
}

Result<> ChatLoop::ask() {
  const TurnOutcome outcome =
      TRY(take_turn(session_, parts_.answers, parts_.ask, parts_.window_tokens, parts_.screen, parts_.now_s));
  if (outcome.use.used_tokens > 0) use_ = outcome.use;
  switch (outcome.end) {
    case TurnOutcome::End::answered: warn_of_window(); return {};
    case TurnOutcome::End::stopped: parts_.screen.notice("stopped; /retry asks again, /undo takes it back"); return {};
    case TurnOutcome::End::failed:
      had_failure_ = true;
      parts_.screen.notice(outcome.error.message + "; what you said is kept: /retry asks again");
      return {};
    case TurnOutcome::End::too_long: break;
  }
  had_failure_ = true;
  draft_ = TRY(session_.undo());
  parts_.screen.notice(fmt::format(
      "this does not fit any more: {} tokens, the window takes {}. Nothing was left out, and what you wrote is kept.\n"
      "Choose: /leave-out N goes on without the oldest N turns, /handover makes a note to begin a new session with,\n"
      "/undo or /go takes another branch, /quit leaves it as it is. Then /send sends it again.",
      outcome.error.prompt_tokens, outcome.error.prompt_tokens_max));
  return {};
}

void ChatLoop::warn_of_window() {
  const int twentieth = static_cast<int>(use_.fraction() * 20);
  if (use_.fraction() < window_warning_fraction || twentieth <= warned_twentieth_) return;
  warned_twentieth_ = twentieth;
  parts_.screen.notice(fmt::format(
      "the window is {:.0f} % full ({} of {} tokens). When it is full nothing more can be said here; nothing is left out by\n"
      "itself. You can go on, /leave-out N turns, write a note for a new session with /handover, or /undo.",
      use_.fraction() * 100, use_.used_tokens, use_.window_tokens));
}

Result<> ChatLoop::send_again() {
  if (draft_.empty()) {
    parts_.screen.notice("nothing waits to be sent");
    return {};
  }
  return say(std::exchange(draft_, {}));
}

Result<> ChatLoop::retry() {
  const auto turns = session_.tree().user_turns();
  if (turns.empty()) {
    parts_.screen.notice("you have not said anything yet");
    return {};
  }
  TRY(session_.go_to(turns.back()));
  return ask();
}

Result<> ChatLoop::undo() {
  const std::string text = TRY(session_.undo());
  parts_.screen.notice(text.empty() ? "you have not said anything yet" : "taken back: " + first_words(text));
  use_ = context_use(session_, parts_.window_tokens);
  return {};
}

Result<> ChatLoop::edit(const ChatCommand& command) {
  const auto turns = session_.tree().user_turns();
  const std::size_t which = command.number == 0 ? turns.size() : command.number;
  if (which == 0 || which > turns.size()) {
    parts_.screen.notice(fmt::format("there are {} things you said; /edit N takes one of them", turns.size()));
    return {};
  }
  const Node& said = session_.tree().at(turns[which - 1]);
  std::optional<std::string> text = command.text;
  if (command.text.empty()) text = parts_.screen.read_line("edit> ", said.message.text);
  if (!text || text->empty()) return {};
  TRY(session_.go_to(said.parent));
  return say(*text);
}

void ChatLoop::show_branches() {
  std::string out;
  const auto leaves = session_.tree().leaves();
  for (std::size_t i = 0; i < leaves.size(); ++i) {
    const auto path = session_.tree().path(leaves[i]);
    const bool here = std::ranges::any_of(path, [&](const Node* node) { return node->id == session_.tree().head(); });
    const auto said = std::ranges::find_if(path.rbegin(), path.rend(), [](const Node* node) { return node->message.role == chat::Role::user; });
    out += fmt::format("{} {:>2}  {:>3} messages  {}\n", here ? '*' : ' ', i + 1, path.size(),
                       said == path.rend() ? "" : first_words((*said)->message.text));
  }
  parts_.screen.print(out.empty() ? "nothing has been said yet\n" : out);
}

Result<> ChatLoop::go(std::uint32_t branch) {
  const auto leaves = session_.tree().leaves();
  if (branch == 0 || branch > leaves.size()) {
    parts_.screen.notice(fmt::format("there are {} branches; /branches lists them", leaves.size()));
    return {};
  }
  TRY(session_.go_to(leaves[branch - 1]));
  use_ = context_use(session_, parts_.window_tokens);
  parts_.screen.print(transcript_text(session_, {.last_turns = 1, .thinking = false}));
  return {};
}

Result<> ChatLoop::leave_out(std::uint32_t turns) {
  if (auto done = session_.leave_out_oldest(turns, parts_.now_s()); !done) {
    if (!is_own_mistake(done.error())) return done;
    tell(done);
    return {};
  }
  warned_twentieth_ = 0;
  use_ = {.window_tokens = parts_.window_tokens};
  parts_.screen.notice(fmt::format("the oldest {} turns are left out on this branch; /branches has the other one whole", turns));
  return {};
}

Result<> ChatLoop::handover() {
  const NodeId before = session_.tree().head();
  TRY(session_.say(std::string(handover_request), parts_.now_s()));
  const TurnOutcome outcome =
      TRY(take_turn(session_, parts_.answers, parts_.ask, parts_.window_tokens, parts_.screen, parts_.now_s));
  const NodeId note = session_.tree().head();
  const bool answered = outcome.end == TurnOutcome::End::answered && session_.tree().at(note).message.role == chat::Role::assistant;
  const std::string text = answered ? session_.tree().at(note).message.text : std::string();
  TRY(session_.go_to(before));
  if (!answered) {
    parts_.screen.notice("no note was written: " + outcome.error.message);
    return {};
  }
  const auto name = parts_.screen.read_line("name of the new session that begins with this note (empty: none)> ", "");
  if (!name || name->empty()) {
    parts_.screen.notice("nothing was begun; the note is a branch of this session (/branches)");
    return {};
  }
  const auto edited = parts_.screen.read_line("the note, as you want it (empty: as it is)> ", "");
  auto log = parts_.shelf.create(*name, session_.facts().label == "sealed" ? "vault" : "plain");
  if (!log) {
    parts_.screen.notice(log.error().message);
    return {};
  }
  TRY(fold());
  SessionFacts facts = session_.facts();
  facts.id = *name;
  facts.title.clear();
  facts.created_s = parts_.now_s();
  Session next = TRY(Session::create(*std::move(log), std::move(facts), session_.view()));
  Node beginning{.message = {.role = chat::Role::system}, .told = {}, .at_s = parts_.now_s()};
  beginning.message.text = fmt::format("A note about the session before this one ({}), read and accepted by the user:\n\n{}",
                                       session_.facts().id, edited && !edited->empty() ? *edited : text);
  TRY(next.add(std::move(beginning)));
  session_ = std::move(next);
  warned_twentieth_ = 0;
  parts_.screen.notice(fmt::format("session {} begins", session_.facts().id));
  return open();
}

Result<> ChatLoop::raise_label(const std::string& label) {
  if (label == "sealed" && session_.facts().label != "sealed") {
    parts_.screen.notice("what was written so far is not encrypted: begin a sealed session with hearth chat NAME --label sealed");
    return {};
  }
  if (auto done = session_.raise_label(label); !done) {
    if (!is_own_mistake(done.error())) return done;
    tell(done);
    return {};
  }
  parts_.screen.notice(fmt::format("label: {}", session_.facts().label));
  return {};
}

void ChatLoop::show_budget() {
  if (use_.used_tokens == 0) return parts_.screen.print("not known before the first answer\n");
  if (use_.window_tokens == 0) return parts_.screen.print(fmt::format("{} tokens; the server does not tell its window\n", use_.used_tokens));
  parts_.screen.print(fmt::format("{} of {} tokens, {:.0f} %\n", use_.used_tokens, use_.window_tokens, use_.fraction() * 100));
}

Result<> ChatLoop::save(const std::string& file) {
  if (file.empty()) {
    parts_.screen.notice("/save FILE: where to?");
    return {};
  }
  tell(write_transcript(session_, file));
  return {};
}

}  // namespace hearth::session
