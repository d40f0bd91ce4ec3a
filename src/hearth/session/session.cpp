#include "hearth/session/session.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "hearth/base/check.h"
#include "hearth/chat/client_tools.h"
#include "hearth/session/memory_prefix.h"

namespace hearth::session {
namespace {

constexpr std::array<std::string_view, 3> labels = {"open", "house", "sealed"};

std::size_t rank(std::string_view label) {
  return static_cast<std::size_t>(std::ranges::find(labels, label) - labels.begin());
}

chat::Message message(chat::Role role, std::string text) {
  chat::Message out;
  out.role = role;
  out.text = std::move(text);
  return out;
}

}  // namespace

Result<Session> Session::create(std::unique_ptr<SessionLog> log, SessionFacts facts, MemoryFiles base) {
  TRY(check_memory_files(base));
  Session out;
  out.log_ = std::move(log);
  TRY(out.record(std::move(facts)));
  TRY(out.record(BaseMemory{std::move(base)}));
  return out;
}

Result<Session> Session::load(std::unique_ptr<SessionLog> log, const std::vector<std::string>& records,
                              std::vector<std::string>* damaged) {
  Session out;
  for (std::size_t i = 0; i < records.size(); ++i) {
    const auto record = parse_record(records[i]);
    const auto applied = record ? out.apply(*record) : std::unexpected(record.error());
    if (applied) continue;
    const std::string what = fmt::format("record {}: {}", i + 1, applied.error().message);
    if (damaged == nullptr || applied.error().code == Code::unsupported) {
      return fail(applied.error().code == Code::unsupported ? Code::unsupported : Code::corrupt,
                  what + "; hearth session export --recover writes what is readable");
    }
    damaged->push_back(what);
  }
  if (!out.has_facts_) return fail(Code::corrupt, "the session has no beginning: nothing can be read of it");
  out.log_ = std::move(log);
  return out;
}

Result<> Session::record(Record record) {
  CHECK(log_ != nullptr);
  TRY(log_->append(record_text(record)));
  return apply(record);
}

Result<> Session::apply(const Record& record) {
  if (const auto* facts = std::get_if<SessionFacts>(&record)) {
    if (has_facts_) return fail(Code::corrupt, "a second beginning");
    if (rank(facts->label) == labels.size()) return fail(Code::corrupt, "label: not open, house or sealed");
    facts_ = *facts;
    has_facts_ = true;
    prefix_ = render_prefix(facts_.instructions, base_);
    return {};
  }
  if (!has_facts_) return fail(Code::corrupt, "something before the beginning");
  if (const auto* base = std::get_if<BaseMemory>(&record)) {
    if (has_base_ || tree_.size() > 0) return fail(Code::corrupt, "a second memory to begin with");
    base_ = view_ = disk_ = base->files;
    has_base_ = true;
    prefix_ = render_prefix(facts_.instructions, base_);
  } else if (const auto* node = std::get_if<Node>(&record)) {
    return tree_.add(*node);
  } else if (const auto* moved = std::get_if<HeadMoved>(&record)) {
    return tree_.set_head(moved->head);
  } else if (const auto* memory = std::get_if<MemoryMoved>(&record)) {
    if (memory->in_view) apply_changes(view_, memory->changes);
    if (memory->on_disk) apply_changes(disk_, memory->changes);
  } else if (const auto* title = std::get_if<TitleSet>(&record)) {
    facts_.title = title->title;
  } else if (const auto* label = std::get_if<LabelRaised>(&record)) {
    if (rank(label->label) == labels.size()) return fail(Code::corrupt, "label: not open, house or sealed");
    if (rank(label->label) > rank(facts_.label)) facts_.label = label->label;
  }
  return {};
}

std::vector<chat::Tool> Session::tools() const {
  if (!facts_.memory_tool || facts_.memory_folder.empty()) return {};
  const auto tool = chat::client_tool(memory_tool_type);
  CHECK(tool);
  return {*tool};
}

chat::Conversation Session::opening() const {
  chat::Conversation out;
  out.tools = tools();
  if (!prefix_.empty()) out.messages.push_back(message(chat::Role::system, prefix_));
  return out;
}

chat::Conversation Session::conversation() const {
  chat::Conversation out = opening();
  for (const Node* node : tree_.path()) out.messages.push_back(node->message);
  return out;
}

MemoryFiles Session::known_to_model() const {
  MemoryFiles out = base_;
  for (const Node* node : tree_.path()) apply_changes(out, node->told);
  return out;
}

Result<> Session::add(Node node) {
  node.id = tree_.next_id();
  node.parent = tree_.head();
  return record(std::move(node));
}

Result<> Session::say(std::string text, std::int64_t at_s) {
  const MemoryFiles known = known_to_model();
  if (auto changes = changes_between(known, view_); !changes.empty()) {
    Node note{.message = message(chat::Role::system, render_change(known, view_)), .told = std::move(changes), .at_s = at_s};
    TRY(add(std::move(note)));
  }
  Node said{.message = message(chat::Role::user, std::move(text)), .told = {}, .at_s = at_s};
  return add(std::move(said));
}

Result<> Session::go_to(NodeId head) { return record(HeadMoved{head}); }

Result<std::string> Session::undo() {
  const std::vector<NodeId> turns = tree_.user_turns();
  if (turns.empty()) return std::string();
  const Node& said = tree_.at(turns.back());
  std::string text = said.message.text;
  TRY(go_to(said.parent));
  return text;
}

Result<> Session::leave_out_oldest(std::size_t turns, std::int64_t at_s) {
  const std::vector<NodeId> said = tree_.user_turns();
  if (turns == 0 || turns >= said.size()) {
    return fail(Code::invalid_argument, fmt::format("{} turns cannot be left out of {}; at least one is left out, and one stays",
                                                    turns, said.size()));
  }
  std::vector<Node> kept;
  for (const Node* node : tree_.path()) {
    // Calls and their results stay together: a branch begins where the user spoke.
    if (node->id >= said[turns]) kept.push_back(*node);
  }
  TRY(go_to(0));
  TRY(add({.message = message(chat::Role::system, fmt::format("The user left the first {} turns of this conversation out.", turns)),
           .told = {}, .at_s = at_s}));
  for (Node& node : kept) {
    node.prompt_tokens = 0;  // counted with what is gone
    TRY(add(std::move(node)));
  }
  return {};
}

Result<> Session::change_memory(std::vector<MemoryChange> changes) {
  if (changes.empty()) return {};
  MemoryFiles after = view_;
  for (const MemoryChange& change : changes) {
    TRY(check_memory_path(change.path));
    if (change.text) TRY(check_memory_text(change.path, *change.text));
  }
  apply_changes(after, changes);
  TRY(check_memory_files(after));
  return record(MemoryMoved{.in_view = true, .on_disk = false, .changes = std::move(changes)});
}

Result<ToolReply> Session::run_tool(const chat::ToolCall& call, std::int64_t at_s) {
  ToolReply reply;
  MemoryFiles after = view_;
  if (call.name != "memory" || tools().empty()) {
    reply = {fmt::format("Error: there is no tool {} here", call.name.substr(0, 40)), true};
  } else if (!call.raw_arguments.empty()) {
    reply = {"Error: the arguments are not JSON", true};
  } else {
    reply = run_memory_tool(call.arguments, after);
  }
  std::vector<MemoryChange> changes = changes_between(view_, after);
  TRY(change_memory(changes));
  Node result{.message = message(chat::Role::tool, reply.text), .told = std::move(changes), .at_s = at_s};
  result.message.call_id = call.id;
  TRY(add(std::move(result)));
  return reply;
}

Result<std::vector<std::string>> Session::see_disk(const MemoryFiles& now) {
  std::vector<std::string> conflicts;
  std::vector<MemoryChange> news, known;
  const auto text_in = [](const MemoryFiles& files, const std::string& path) {
    const auto found = files.find(path);
    return found == files.end() ? std::nullopt : std::optional(found->second);
  };
  for (const MemoryChange& change : changes_between(disk_, now)) {
    const auto here = text_in(view_, change.path);
    if (here == change.text) known.push_back(change);
    else if (here == text_in(disk_, change.path)) news.push_back(change);
    else conflicts.push_back(change.path);
  }
  if (!news.empty()) TRY(record(MemoryMoved{.in_view = true, .on_disk = true, .changes = std::move(news)}));
  if (!known.empty()) TRY(record(MemoryMoved{.in_view = false, .on_disk = true, .changes = std::move(known)}));
  return conflicts;
}

Result<FoldReport> Session::fold(MemoryPlace& place, std::string_view stamp) {
  const std::vector<MemoryChange> changes = unfolded();
  if (changes.empty()) return FoldReport{};
  if (facts_.label == "sealed" && !place.is_sealed()) {
    return fail(Code::permission, "the session is sealed and the folder is plain: its changes of memory stay in the session");
  }
  FoldReport report = TRY(place.fold(disk_, view_, stamp));
  std::vector<MemoryChange> there, given_up;
  for (const MemoryChange& change : changes) {
    if (std::ranges::find(report.conflicts, change.path) == report.conflicts.end()) there.push_back(change);
  }
  if (!there.empty()) TRY(record(MemoryMoved{.in_view = false, .on_disk = true, .changes = std::move(there)}));
  if (report.conflicts.empty()) return report;
  // What is on the disk wins, and the session's own text is beside the backups.
  const MemoryFiles now = TRY(place.read());
  for (const std::string& path : report.conflicts) {
    const auto found = now.find(path);
    given_up.push_back({path, found == now.end() ? std::nullopt : std::optional(found->second)});
  }
  TRY(record(MemoryMoved{.in_view = true, .on_disk = true, .changes = std::move(given_up)}));
  return report;
}

Result<> Session::set_title(std::string title) { return record(TitleSet{std::move(title)}); }

Result<> Session::raise_label(std::string_view label) {
  if (rank(label) == labels.size()) return fail(Code::invalid_argument, "a label is open, house or sealed");
  if (rank(label) <= rank(facts_.label)) return {};
  return record(LabelRaised{std::string(label)});
}

}  // namespace hearth::session
