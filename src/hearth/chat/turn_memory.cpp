#include "hearth/chat/turn_memory.h"

#include "hearth/chat/python_json.h"

namespace hearth::chat {
namespace {

void add_content(Blake2b& hash, const Message& message) {
  hash.update_number(static_cast<std::uint8_t>(message.role));
  hash.update_sized(message.text);
  hash.update_number(static_cast<std::uint64_t>(message.calls.size()));
  for (const ToolCall& call : message.calls) {
    hash.update_sized(call.name);
    hash.update_sized(call.raw_arguments);
    hash.update_sized(dump_json(sort_keys(call.arguments)));
  }
}

// Some models number their calls through the conversation, and wrote those numbers.
Digest256 content_of(const Message& message, std::size_t calls_before) {
  Blake2b hash;
  add_content(hash, message);
  if (!message.calls.empty()) hash.update_number(static_cast<std::uint64_t>(calls_before));
  return hash.finish();
}

}  // namespace

ContextDigest::ContextDigest(const std::vector<Tool>& tools) {
  Blake2b hash;
  hash.update_number(static_cast<std::uint64_t>(tools.size()));
  for (const Tool& tool : tools) {
    hash.update_sized(tool.name);
    hash.update_sized(tool.description);
    hash.update_sized(dump_json(sort_keys(tool.parameters)));
  }
  value_ = hash.finish();
}

Digest256 ContextDigest::with(const Message& turn) const {
  Blake2b hash;
  hash.update(value_.bytes);
  add_content(hash, turn);
  return hash.finish();
}

void ContextDigest::add(const Message& message) {
  value_ = with(message);
  calls_ += message.calls.size();
}

KnownTurn known_turn(const Digest256& key, const Message& turn, TurnRecord record, std::size_t calls_before) {
  return {key, content_of(turn, calls_before), turn.handle, std::move(record)};
}

void TurnMemory::remember(KnownTurn turn) {
  if (const auto old = by_key_.find(turn.key); old != by_key_.end()) drop(old->second);
  if (const auto old = by_handle_.find(turn.handle); old != by_handle_.end()) drop(old->second);
  if (turn.record.tokens.size() > limits_.tokens_max || limits_.turns_max == 0) return;
  tokens_ += turn.record.tokens.size();
  entries_.push_front(std::move(turn));
  const auto entry = entries_.begin();
  by_key_[entry->key] = entry;
  if (!entry->handle.empty()) by_handle_[entry->handle] = entry;
  while (entries_.size() > limits_.turns_max || tokens_ > limits_.tokens_max) {
    drop(std::prev(entries_.end()));
  }
}

const TurnRecord* TurnMemory::find(const Digest256& key, const Message& turn, std::size_t calls_before) const {
  Entries::iterator entry = entries_.end();
  if (const auto handled = by_handle_.find(turn.handle);
      !turn.handle.empty() && handled != by_handle_.end() &&
      handled->second->content == content_of(turn, calls_before)) {
    entry = handled->second;
  } else if (const auto keyed = by_key_.find(key); keyed != by_key_.end()) {
    entry = keyed->second;
  }
  if (entry == entries_.end()) return nullptr;
  entries_.splice(entries_.begin(), entries_, entry);
  return &entry->record;
}

void TurnMemory::forget(std::string_view user) {
  for (auto entry = entries_.begin(); entry != entries_.end();) {
    const auto next = std::next(entry);
    if (entry->record.user == user) drop(entry);
    entry = next;
  }
}

void TurnMemory::drop(Entries::iterator entry) {
  tokens_ -= entry->record.tokens.size();
  by_key_.erase(entry->key);
  if (!entry->handle.empty()) by_handle_.erase(entry->handle);
  entries_.erase(entry);
}

}  // namespace hearth::chat
