#include "hearth/kv/store_table.h"

#include <algorithm>
#include <utility>

#include "hearth/base/check.h"

namespace hearth::kv {

const TableEntry* StoreTable::find(const ChunkKey& key) const {
  const auto found = entries_.find(key);
  return found == entries_.end() ? nullptr : &found->second;
}

const StoreTable::Children* StoreTable::children_of(const ChunkKey& key) const {
  const auto found = children_.find(key);
  return found == children_.end() ? nullptr : &found->second;
}

void StoreTable::unplace(const TableEntry& entry) {
  memory_copies_.erase(entry.recency);
  memory_only_.erase(entry.recency);
  disk_.erase(entry.recency);
}

void StoreTable::place(const TableEntry& entry) {
  const Children* children = children_of(entry.key);
  const bool is_pinned = pins_.is_pinned(entry.key);
  if (entry.memory && entry.is_on_disk) {
    memory_copies_.emplace(entry.recency, entry.key);
  } else if (entry.memory && !entry.is_write_pending && !is_pinned &&
             (children == nullptr || children->in_memory == 0)) {
    memory_only_.emplace(entry.recency, entry.key);
  }
  if (entry.is_on_disk && !is_pinned && (children == nullptr || children->on_disk == 0)) {
    disk_.emplace(entry.recency, entry.key);
  }
}

void StoreTable::replace(const ChunkKey& key) {
  const TableEntry* entry = find(key);
  if (entry == nullptr) return;
  unplace(*entry);
  place(*entry);
}

TableEntry& StoreTable::entry_for(const ChunkHeader& header, Instant now,
                                  std::uint64_t chunk_bytes) {
  const auto [place_of, is_new] = entries_.try_emplace(header.key);
  TableEntry& entry = place_of->second;
  if (!is_new) return entry;
  entry.key = header.key;
  entry.parent = header.parent;
  entry.layout = header.layout;
  entry.range = header.range;
  entry.is_partial = header.is_partial;
  entry.payload_digest = header.payload_digest;
  entry.chunk_bytes = chunk_bytes;
  entry.recency = ++recency_;
  entry.used_at = now;
  children_[header.parent].all.push_back({header.range.count(), header.key});
  return entry;
}

void StoreTable::add_memory(SharedChunk chunk, Instant now) {
  TableEntry& entry = entry_for(chunk->header, now, chunk_bytes(chunk->header));
  CHECK(!entry.memory);
  unplace(entry);
  entry.is_used = true;
  memory_bytes_ += entry.chunk_bytes;
  ++memory_chunks_;
  ++children_[entry.parent].in_memory;
  entry.memory = std::move(chunk);
  place(entry);
  replace(entry.parent);
}

void StoreTable::add_disk(const ChunkHeader& header, Instant now, std::uint64_t file_bytes) {
  TableEntry& entry = entry_for(header, now, file_bytes);
  CHECK(!entry.is_on_disk);
  unplace(entry);
  entry.is_on_disk = true;
  entry.generation = ++generation_;
  disk_bytes_ += entry.chunk_bytes;
  ++disk_chunks_;
  ++children_[entry.parent].on_disk;
  place(entry);
  replace(entry.parent);
}

void StoreTable::drop_memory(const ChunkKey& key) {
  const auto found = entries_.find(key);
  if (found == entries_.end() || !found->second.memory) return;
  TableEntry& entry = found->second;
  unplace(entry);
  if (entry.is_write_pending) --pending_writes_;
  entry.is_write_pending = false;
  entry.memory.reset();
  memory_bytes_ -= entry.chunk_bytes;
  --memory_chunks_;
  --children_[entry.parent].in_memory;
  place(entry);
  replace(entry.parent);
  erase_if_gone(key);
}

void StoreTable::drop_disk(const ChunkKey& key) {
  const auto found = entries_.find(key);
  if (found == entries_.end() || !found->second.is_on_disk) return;
  TableEntry& entry = found->second;
  unplace(entry);
  entry.is_on_disk = false;
  disk_bytes_ -= entry.chunk_bytes;
  --disk_chunks_;
  --children_[entry.parent].on_disk;
  place(entry);
  replace(entry.parent);
  erase_if_gone(key);
}

void StoreTable::erase_if_gone(const ChunkKey& key) {
  const auto found = entries_.find(key);
  if (found->second.memory || found->second.is_on_disk) return;
  const ChunkKey parent = found->second.parent;
  Children& siblings = children_[parent];
  std::erase_if(siblings.all, [&](const Child& child) { return child.key == key; });
  if (siblings.all.empty()) children_.erase(parent);
  entries_.erase(found);
}

void StoreTable::set_write_pending(const ChunkKey& key, bool is_pending) {
  const auto found = entries_.find(key);
  if (found == entries_.end() || found->second.is_write_pending == is_pending) return;
  unplace(found->second);
  found->second.is_write_pending = is_pending;
  pending_writes_ = is_pending ? pending_writes_ + 1 : pending_writes_ - 1;
  place(found->second);
}

void StoreTable::touch(const ChunkKey& key, Instant now) {
  const auto found = entries_.find(key);
  if (found == entries_.end()) return;
  unplace(found->second);
  found->second.recency = ++recency_;
  found->second.used_at = now;
  found->second.is_used = true;
  place(found->second);
}

void StoreTable::set_pins(PinSet pins) {
  const PinSet before = std::exchange(pins_, std::move(pins));
  for (const ChunkKey& key : before.keys()) replace(key);
  for (const ChunkKey& key : pins_.keys()) replace(key);
}

std::optional<ChunkKey> StoreTable::oldest(const Order& order, const Newcomer& newcomer) const {
  if (!newcomer.is_first && find(newcomer.parent) == nullptr) return {};
  for (const auto& [recency, key] : order) {
    if (key != newcomer.parent) return key;
  }
  return {};
}

std::optional<ChunkKey> StoreTable::memory_victim(const Newcomer& newcomer) const {
  if (!memory_copies_.empty()) return memory_copies_.begin()->second;
  return oldest(memory_only_, newcomer);
}

std::optional<ChunkKey> StoreTable::disk_victim(const Newcomer& newcomer) const {
  return oldest(disk_, newcomer);
}

}  // namespace hearth::kv
