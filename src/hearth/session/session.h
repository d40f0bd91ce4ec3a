#pragma once
// One session: a conversation, the memory it began with, and what became of that memory since. Every
// change is a record in its log before it is true here, so a session that ends in any way is whole.
//
//   base   the files that the prefix is made of; never changes, so neither does the prefix
//   view   the files as the session has them: base, and what was changed in the session or outside
//   disk   the files of the folder as the session last knew them
//
// What the model does not know yet of the view is told in a message of its own before the next turn
// (render_change); what the folder does not have yet is folded into it by fold(). Going back in the
// conversation changes no memory: what the model then no longer knows, it is told again.
//
// One thread. Errors of the log pass through; the session is then as it was before the call.

#include <filesystem>
#include <memory>

#include "hearth/session/memory_place.h"
#include "hearth/session/memory_tool.h"
#include "hearth/session/session_record.h"
#include "hearth/session/session_shelf.h"

namespace hearth::session {

class Session {
 public:
  static Result<Session> create(std::unique_ptr<SessionLog> log, SessionFacts facts, MemoryFiles base);
  // `log` is nullptr for one that is only looked at: then every change is a CHECK. Of records that
  // cannot be applied the first is an error (corrupt), unless `damaged` takes their descriptions.
  static Result<Session> load(std::unique_ptr<SessionLog> log, const std::vector<std::string>& records,
                              std::vector<std::string>* damaged = nullptr);

  const SessionFacts& facts() const { return facts_; }
  const ConversationTree& tree() const { return tree_; }
  const MemoryFiles& base() const { return base_; }
  const MemoryFiles& view() const { return view_; }
  const MemoryFiles& disk() const { return disk_; }
  const std::string& prefix() const { return prefix_; }
  // Of the view, what the folder does not have.
  std::vector<MemoryChange> unfolded() const { return changes_between(disk_, view_); }

  // The tools, the prefix, and everything up to the head.
  chat::Conversation conversation() const;
  // The same without any turn: what is read ahead when a session opens.
  chat::Conversation opening() const;

  // What the user says next, after what must be told of memory.
  Result<> say(std::string text, std::int64_t at_s);
  // Any other message after the head.
  Result<> add(Node node);
  Result<> go_to(NodeId head);
  // Back to before the last thing the user said, which is returned; empty: there was none.
  Result<std::string> undo();
  // The first `turns` of what the user said, and what followed each, are left out of a new branch.
  Result<> leave_out_oldest(std::size_t turns, std::int64_t at_s);

  // Runs a call of the memory tool on the view.
  Result<ToolReply> run_tool(const chat::ToolCall& call, std::int64_t at_s);
  Result<> change_memory(std::vector<MemoryChange> changes);
  // The folder has `now`: what changed there comes into the view, except files that the session has
  // changed as well, which are returned.
  Result<std::vector<std::string>> see_disk(const MemoryFiles& now);
  // Brings the view into the folder, which is `place`. What it wrote is known from then on. permission:
  // the session is sealed, and the folder is not.
  Result<FoldReport> fold(MemoryPlace& place, std::string_view stamp);

  Result<> set_title(std::string title);
  // Labels only rise; a lower one changes nothing.
  Result<> raise_label(std::string_view label);

 private:
  Session() = default;
  Result<> record(Record record);  // log first, then apply
  Result<> apply(const Record& record);
  MemoryFiles known_to_model() const;
  std::vector<chat::Tool> tools() const;

  std::unique_ptr<SessionLog> log_;
  SessionFacts facts_;
  MemoryFiles base_, view_, disk_;
  std::string prefix_;
  ConversationTree tree_;
  bool has_facts_ = false, has_base_ = false;
};

}  // namespace hearth::session
