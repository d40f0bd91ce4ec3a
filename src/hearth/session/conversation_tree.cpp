#include "hearth/session/conversation_tree.h"

#include <fmt/format.h>

#include <algorithm>

#include "hearth/base/check.h"

namespace hearth::session {

Result<> ConversationTree::add(Node node) {
  if (node.id != next_id()) {
    return fail(Code::invalid_argument, fmt::format("message {} comes after message {}", node.id, nodes_.size()));
  }
  if (node.parent >= node.id) {
    return fail(Code::invalid_argument, fmt::format("message {} follows message {}, which is not there", node.id, node.parent));
  }
  if (nodes_.size() == nodes_max) return fail(Code::resource_exhausted, fmt::format("a session has at most {} messages", nodes_max));
  head_ = node.id;
  nodes_.push_back(std::move(node));
  return {};
}

Result<> ConversationTree::set_head(NodeId head) {
  if (head > nodes_.size()) {
    return fail(Code::invalid_argument, fmt::format("no message {}; there are {}", head, nodes_.size()));
  }
  head_ = head;
  return {};
}

const Node& ConversationTree::at(NodeId id) const {
  CHECK(id > 0 && id <= nodes_.size());
  return nodes_[id - 1];
}

std::vector<const Node*> ConversationTree::path(NodeId to) const {
  std::vector<const Node*> out;
  for (NodeId id = to; id != 0; id = at(id).parent) out.push_back(&at(id));
  std::ranges::reverse(out);
  return out;
}

std::vector<NodeId> ConversationTree::leaves() const {
  std::vector<bool> followed(nodes_.size() + 1, false);
  for (const Node& node : nodes_) followed[node.parent] = true;
  std::vector<NodeId> out;
  for (const Node& node : nodes_) {
    if (!followed[node.id]) out.push_back(node.id);
  }
  return out;
}

std::vector<NodeId> ConversationTree::user_turns() const {
  std::vector<NodeId> out;
  for (const Node* node : path()) {
    if (node->message.role == chat::Role::user) out.push_back(node->id);
  }
  return out;
}

NodeId ConversationTree::newest_below(NodeId from) const {
  std::vector<bool> below(nodes_.size() + 1, false);
  below[from] = true;
  NodeId newest = from;
  for (const Node& node : nodes_) {
    if (node.id <= from || !below[node.parent]) continue;
    below[node.id] = true;
    newest = node.id;
  }
  return newest;
}

}  // namespace hearth::session
