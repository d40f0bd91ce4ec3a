#pragma once
// What a session's file says: one JSON object a record, in the order in which things happened
// (docs/sessions.md). Reading takes whatever a file may hold: errors are `corrupt` and name the field.

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "hearth/base/json.h"
#include "hearth/session/conversation_tree.h"

namespace hearth::session {

inline constexpr int session_version = 1;
inline constexpr std::size_t record_bytes_max = 64u << 20;

// The first record.
struct SessionFacts {
  std::string id;
  std::string title;
  std::string label = "open";     // how far it may travel: open, house, sealed
  std::string memory_folder;      // absolute, or "vault:NAME"; empty: none
  std::string instructions;       // before memory in the prefix
  bool memory_tool = true;        // the model may change memory
  std::string adapter{};          // of the server's, by name; empty: the model as it is
  std::int64_t created_s = 0;     // since 1970
  bool operator==(const SessionFacts&) const = default;
};

// The memory that the prefix is made of; once, before the first message.
struct BaseMemory {
  MemoryFiles files;
  bool operator==(const BaseMemory&) const = default;
};
struct HeadMoved {
  NodeId head = 0;
  bool operator==(const HeadMoved&) const = default;
};
// Files changed in the session's view, on the disk as the session knows it, or both.
struct MemoryMoved {
  bool in_view = false, on_disk = false;
  std::vector<MemoryChange> changes;
  bool operator==(const MemoryMoved&) const = default;
};
struct TitleSet {
  std::string title;
  bool operator==(const TitleSet&) const = default;
};
struct LabelRaised {
  std::string label;
  bool operator==(const LabelRaised&) const = default;
};

using Record = std::variant<SessionFacts, BaseMemory, Node, HeadMoved, MemoryMoved, TitleSet, LabelRaised>;

std::string record_text(const Record& record);
Result<Record> parse_record(std::string_view text);

// The form of exports and of the records: role, text, and what else is there.
Json message_json(const chat::Message& message);

}  // namespace hearth::session
