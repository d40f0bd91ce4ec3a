#pragma once
// A conversation that can go back: messages as a tree, and the place in it where one is (the head).
// Nothing is ever changed or taken out; going back and saying something else makes a branch.
// A value without I/O. Identifiers rise by one, 0 is the beginning.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "hearth/chat/message.h"
#include "hearth/session/memory_files.h"

namespace hearth::session {

using NodeId = std::uint32_t;
inline constexpr std::size_t nodes_max = 1'000'000;

struct Node {
  NodeId id = 0;
  NodeId parent = 0;
  chat::Message message;
  std::vector<MemoryChange> told;  // what the model knows of memory from here on
  std::int64_t at_s = 0;           // since 1970
  bool cut = false;                // an answer that was stopped
  // Of an answer, as the server counted: its prompt and itself. 0: not known.
  std::uint32_t prompt_tokens = 0, answer_tokens = 0;
  bool operator==(const Node&) const = default;
};

class ConversationTree {
 public:
  // The next identifier, a parent that is there; becomes the head. invalid_argument otherwise.
  Result<> add(Node node);
  Result<> set_head(NodeId head);

  NodeId head() const { return head_; }
  NodeId next_id() const { return static_cast<NodeId>(nodes_.size()) + 1; }
  std::size_t size() const { return nodes_.size(); }
  const Node& at(NodeId id) const;  // not 0; CHECKs that it is there
  std::span<const Node> nodes() const { return nodes_; }

  // From the first message to `to`.
  std::vector<const Node*> path(NodeId to) const;
  std::vector<const Node*> path() const { return path(head_); }
  // Messages that nothing follows, in order of age.
  std::vector<NodeId> leaves() const;
  // Where `chat::Role::user` spoke on the way to the head, in order.
  std::vector<NodeId> user_turns() const;
  // The newest message at or below `from`: where a branch was left.
  NodeId newest_below(NodeId from) const;

 private:
  std::vector<Node> nodes_;  // by id - 1
  NodeId head_ = 0;
};

}  // namespace hearth::session
