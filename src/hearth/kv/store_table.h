#pragma once
// What a chunk store holds: which chunk is in which tier, who goes next, how chunks hang together.
// Data only: no files, no threads, no time of its own. The store guards it with its lock.
//
// Invariants, after every call: an entry is in at least one tier; memory_bytes() and disk_bytes()
// are the sums over the entries; a victim is never pinned in its last copy, never waits for the
// disk, and (in its last copy, or on disk) is never continued by another chunk of the same tier.

#include <map>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "hearth/base/clock.h"
#include "hearth/kv/chunk.h"
#include "hearth/kv/pins.h"
#include "hearth/kv/store_types.h"

namespace hearth::kv {

struct TableEntry {
  ChunkKey key;
  ChunkKey parent;
  LayoutDigest layout;
  TokenRange range;
  bool is_partial = false;
  Checksum128 payload_digest;
  std::uint64_t chunk_bytes = 0;
  SharedChunk memory;  // nothing: not in memory
  bool is_on_disk = false;
  bool is_write_pending = false;
  std::uint64_t generation = 0;  // of the file: which writing of it was seen
  std::uint64_t recency = 0;     // larger is later; unique
  bool is_used = false;          // since the store was opened
  Instant used_at;

  Tier tier() const { return !memory ? Tier::disk : is_on_disk ? Tier::both : Tier::memory; }
};

// For whom room is made. The chunk before it is spared; one whose chunk before is not here (no
// prompt would find it) displaces no last copy and no file. The default displaces anything.
struct Newcomer {
  ChunkKey parent;
  bool is_first = true;
};
inline Newcomer newcomer(const ChunkHeader& header) {
  return {header.parent, header.range.begin == 0};
}
// For a copy in memory of what is on disk: convenient, but worth nobody's last copy.
inline Newcomer cached_copy() { return {ChunkKey{}, /*is_first=*/false}; }

class StoreTable {
 public:
  const TableEntry* find(const ChunkKey& key) const;

  void add_memory(SharedChunk chunk, Instant now);
  // `header` may come without its tokens.
  void add_disk(const ChunkHeader& header, Instant now, std::uint64_t file_bytes);
  // The entry goes with its last copy. Dropping what is not there is nothing.
  void drop_memory(const ChunkKey& key);
  void drop_disk(const ChunkKey& key);
  void set_write_pending(const ChunkKey& key, bool is_pending);
  void touch(const ChunkKey& key, Instant now);
  void set_pins(PinSet pins);
  const PinSet& pins() const { return pins_; }

  // Who goes next.
  std::optional<ChunkKey> memory_victim(const Newcomer& newcomer) const;
  std::optional<ChunkKey> disk_victim(const Newcomer& newcomer) const;

  std::uint64_t memory_bytes() const { return memory_bytes_; }
  std::uint64_t disk_bytes() const { return disk_bytes_; }
  std::uint64_t memory_chunks() const { return memory_chunks_; }
  std::uint64_t disk_chunks() const { return disk_chunks_; }
  std::uint64_t pending_writes() const { return pending_writes_; }

  // The stored chain that covers most of `tokens`; chunks of any size. Changes no order of use.
  StoredPrefix longest_prefix(const LayoutDigest& layout, std::span<const Token> tokens) const;
  // Parents before children, siblings together.
  std::vector<const TableEntry*> in_chain_order() const;
  // Those that no prefix search can find, because a chunk before them is not here.
  std::vector<ChunkKey> unreachable() const;
  // From the least to the most recently used.
  std::vector<const TableEntry*> in_order_of_use() const;

 private:
  struct Child {
    std::uint32_t token_count;
    ChunkKey key;
  };
  struct Children {
    std::vector<Child> all;
    std::uint32_t in_memory = 0;
    std::uint32_t on_disk = 0;
  };
  using Order = std::map<std::uint64_t, ChunkKey>;  // by recency

  std::optional<ChunkKey> oldest(const Order& order, const Newcomer& newcomer) const;
  TableEntry& entry_for(const ChunkHeader& header, Instant now, std::uint64_t chunk_bytes);
  void erase_if_gone(const ChunkKey& key);
  // An entry leaves the orders before it changes and takes its place again afterwards.
  void unplace(const TableEntry& entry);
  void place(const TableEntry& entry);
  void replace(const ChunkKey& key);
  const Children* children_of(const ChunkKey& key) const;

  std::unordered_map<ChunkKey, TableEntry> entries_;
  std::unordered_map<ChunkKey, Children> children_;
  PinSet pins_;
  Order memory_copies_;  // also on disk
  Order memory_only_;    // last copies
  Order disk_;
  std::uint64_t recency_ = 0;
  std::uint64_t generation_ = 0;
  std::uint64_t memory_bytes_ = 0, disk_bytes_ = 0;
  std::uint64_t memory_chunks_ = 0, disk_chunks_ = 0, pending_writes_ = 0;
};

}  // namespace hearth::kv
