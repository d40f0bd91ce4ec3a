#include "hearth/kv/store_table.h"

#include <algorithm>
#include <map>

#include "hearth/kv/test_support.h"

namespace hearth::kv {
namespace {

constexpr Instant now{};

std::vector<TokenRange> ranges_of(const StoredPrefix& prefix) {
  std::vector<TokenRange> out;
  for (const PrefixChunk& chunk : prefix.chunks) out.push_back(chunk.range);
  return out;
}

TEST(StoreTable, UnrelatedChunksGoInOrderOfUse) {
  StoreTable table;
  std::vector<ChunkKey> keys;
  for (Token i = 0; i < 4; ++i) {
    const SharedChunk chunk = test_shared({.tokens = {i}});
    keys.push_back(chunk->header.key);
    table.add_memory(chunk, now);
  }
  table.touch(keys[0], now);
  table.touch(keys[2], now);
  for (const int next : {1, 3, 0, 2}) {
    const auto victim = table.memory_victim({});
    ASSERT_EQ(victim, keys[static_cast<std::size_t>(next)]);
    table.drop_memory(*victim);
  }
  EXPECT_FALSE(table.memory_victim({}));
  EXPECT_EQ(table.memory_bytes(), 0u);
}

TEST(StoreTable, AChainGoesFromItsEnd) {
  StoreTable table;
  const TestChain chain = test_chain(1, 50, 10);
  for (const SharedChunk& chunk : chain.chunks) {
    table.add_memory(chunk, now);
    table.add_disk(chunk->header, now, chunk_bytes(chunk->header));
  }
  for (std::size_t i = chain.chunks.size(); i-- > 0;) {
    EXPECT_EQ(table.disk_victim({}), chain.chunks[i]->header.key);
    table.drop_disk(chain.chunks[i]->header.key);
  }
  for (std::size_t i = chain.chunks.size(); i-- > 0;) {
    EXPECT_EQ(table.memory_victim({}), chain.chunks[i]->header.key);
    table.drop_memory(chain.chunks[i]->header.key);
  }
}

TEST(StoreTable, CopiesInMemoryGoBeforeLastCopies) {
  StoreTable table;
  const SharedChunk only = test_shared({.tokens = {1}});
  const SharedChunk copy = test_shared({.tokens = {2}});
  table.add_memory(only, now);
  table.add_memory(copy, now);
  table.add_disk(copy->header, now, chunk_bytes(copy->header));
  EXPECT_EQ(table.memory_victim({}), copy->header.key);
  table.drop_memory(copy->header.key);
  EXPECT_EQ(table.find(copy->header.key)->tier(), Tier::disk);
  EXPECT_EQ(table.memory_victim({}), only->header.key);
}

TEST(StoreTable, WhatIsPinnedPendingOrSparedIsNoVictim) {
  StoreTable table;
  const TestChain chain = test_chain(1, 20, 10);
  const ChunkKey first = chain.chunks[0]->header.key;
  table.add_memory(chain.chunks[0], now);
  EXPECT_FALSE(table.memory_victim(newcomer(chain.chunks[1]->header)))
      << "the chunk before the one that needs room";
  const TestChain other = test_chain(2, 20, 10);
  EXPECT_FALSE(table.memory_victim(newcomer(other.chunks[1]->header)))
      << "for one that nobody could find";
  EXPECT_EQ(table.memory_victim(newcomer(other.chunks[0]->header)), first);
  table.set_write_pending(first, true);
  EXPECT_FALSE(table.memory_victim({}));
  table.set_write_pending(first, false);
  EXPECT_EQ(table.memory_victim({}), first);
  PinSet pins;
  ASSERT_TRUE(pins.add(std::span(&first, 1), "me"));
  table.set_pins(pins);
  EXPECT_FALSE(table.memory_victim({}));
  table.add_disk(chain.chunks[0]->header, now, 500);
  EXPECT_FALSE(table.disk_victim({}));
  EXPECT_EQ(table.memory_victim({}), first) << "the copy in memory may go, the file may not";
  table.set_pins({});
  EXPECT_EQ(table.disk_victim({}), first);
}

TEST(StoreTable, APinKeepsTheChunksBeforeItToo) {
  StoreTable table;
  const TestChain chain = test_chain(1, 30, 10);
  for (const SharedChunk& chunk : chain.chunks) table.add_memory(chunk, now);
  const ChunkKey last = chain.chunks[2]->header.key;
  PinSet pins;
  ASSERT_TRUE(pins.add(std::span(&last, 1), "me"));
  table.set_pins(pins);
  EXPECT_FALSE(table.memory_victim({}));
}

TEST(StoreTable, FindsTheLongestPrefixThroughChunksOfAnySize) {
  StoreTable table;
  const LayoutDigest layout = test_layout();
  const std::vector<Token> tokens = test_tokens(1, 100);
  const auto add = [&](ChunkKey parent, std::uint32_t begin, std::uint32_t end) {
    const SharedChunk chunk = test_shared({.parent = parent,
                                           .begin = begin,
                                           .tokens = {tokens.begin() + begin, tokens.begin() + end}});
    table.add_memory(chunk, now);
    return chunk->header.key;
  };
  const ChunkKey root = model::root_key(layout);
  add(root, 0, 25);                       // the tail of an earlier, shorter prompt
  const ChunkKey full = add(root, 0, 40);
  add(full, 40, 43);
  const ChunkKey second = add(full, 40, 80);
  add(full, 40, 90);                      // longer than the full chunk, but a dead end
  add(second, 80, 95);
  using Ranges = std::vector<TokenRange>;
  struct Row {
    std::size_t token_count;
    Ranges ranges;
  };
  const Row rows[] = {
      {100, {{0, 40}, {40, 80}, {80, 95}}}, {95, {{0, 40}, {40, 80}, {80, 95}}},
      {94, {{0, 40}, {40, 90}}},            {89, {{0, 40}, {40, 80}}},
      {79, {{0, 40}, {40, 43}}},            {42, {{0, 40}}},
      {39, {{0, 25}}},                      {24, {}},
      {0, {}},
  };
  for (const Row& row : rows) {
    const auto prefix = table.longest_prefix(layout, std::span(tokens).first(row.token_count));
    EXPECT_EQ(ranges_of(prefix), row.ranges) << row.token_count;
  }
  EXPECT_TRUE(table.longest_prefix(test_layout("other"), tokens).chunks.empty());
  auto changed = tokens;
  ++changed[41];
  EXPECT_EQ(ranges_of(table.longest_prefix(layout, changed)), (Ranges{{0, 40}}));
}

TEST(StoreTable, AGapEndsThePrefixAndLeavesTheRestUnreachable) {
  StoreTable table;
  const TestChain chain = test_chain(1, 50, 10);
  for (const SharedChunk& chunk : chain.chunks) table.add_memory(chunk, now);
  EXPECT_TRUE(table.unreachable().empty());
  table.drop_memory(chain.chunks[2]->header.key);
  EXPECT_EQ(table.longest_prefix(chain.layout, chain.tokens).token_count(), 20u);
  EXPECT_EQ(table.unreachable(), (std::vector<ChunkKey>{chain.chunks[3]->header.key,
                                                        chain.chunks[4]->header.key}));
}

TEST(StoreTable, ListsParentsBeforeChildren) {
  StoreTable table;
  const TestChain a = test_chain(1, 50, 10);
  const TestChain b = test_chain(2, 50, 10);
  for (std::size_t i = 0; i < 5; ++i) {
    table.add_memory(a.chunks[4 - i], now);
    table.add_memory(b.chunks[i], now);
  }
  const auto listed = table.in_chain_order();
  ASSERT_EQ(listed.size(), 10u);
  for (std::size_t i = 0; i < 10; ++i) {
    EXPECT_EQ(listed[i]->range.begin, 10 * (i % 5));
    if (i % 5 != 0) {
      EXPECT_EQ(listed[i]->parent, listed[i - 1]->key);
    }
  }
}

// Random operations; after each, the table's sums and victims against a plain recomputation.
class TableModel {
 public:
  explicit TableModel(std::uint64_t seed) : random_(seed) {
    for (std::uint64_t chain = 0; chain < 4; ++chain) {
      const TestChain made = test_chain(chain, 60, 10, 10 + 7 * chain);
      chunks_.insert(chunks_.end(), made.chunks.begin(), made.chunks.end());
    }
  }

  void step() {
    const SharedChunk& chunk = chunks_[random_.below(chunks_.size())];
    const ChunkKey key = chunk->header.key;
    const TableEntry* entry = table_.find(key);
    switch (random_.below(8)) {
      case 0:
      case 1:
        if (entry == nullptr || !entry->memory) table_.add_memory(chunk, now);
        break;
      case 2:
        if (entry == nullptr || !entry->is_on_disk) {
          table_.add_disk(chunk->header, now, chunk_bytes(chunk->header));
        }
        break;
      case 3: table_.drop_memory(key); break;
      case 4: table_.drop_disk(key); break;
      case 5: table_.touch(key, now); break;
      case 6:
        if (entry != nullptr && entry->memory) {
          table_.set_write_pending(key, !entry->is_write_pending);
        }
        break;
      case 7: flip_pin(key); break;
    }
  }

  void check() const {
    std::uint64_t memory_bytes = 0, disk_bytes = 0, pending = 0;
    for (const SharedChunk& chunk : chunks_) {
      const TableEntry* entry = table_.find(chunk->header.key);
      if (entry == nullptr) continue;
      ASSERT_TRUE(entry->memory || entry->is_on_disk);
      if (entry->memory) memory_bytes += entry->chunk_bytes;
      if (entry->is_on_disk) disk_bytes += entry->chunk_bytes;
      pending += entry->is_write_pending;
    }
    ASSERT_EQ(table_.memory_bytes(), memory_bytes);
    ASSERT_EQ(table_.disk_bytes(), disk_bytes);
    ASSERT_EQ(table_.pending_writes(), pending);
    ASSERT_EQ(table_.disk_victim({}), expected_victim(/*on_disk=*/true));
    ASSERT_EQ(table_.memory_victim({}), expected_victim(/*on_disk=*/false));
  }

 private:
  void flip_pin(const ChunkKey& key) {
    PinSet pins = table_.pins();
    if (pins.is_pinned(key)) {
      pins.remove(std::span(&key, 1), "me");
    } else {
      ASSERT_TRUE(pins.add(std::span(&key, 1), "me"));
    }
    table_.set_pins(pins);
  }

  bool has_child(const ChunkKey& key, bool on_disk) const {
    return std::any_of(chunks_.begin(), chunks_.end(), [&](const SharedChunk& chunk) {
      const TableEntry* entry = table_.find(chunk->header.key);
      return entry != nullptr && entry->parent == key &&
             (on_disk ? entry->is_on_disk : entry->memory != nullptr);
    });
  }

  std::optional<ChunkKey> expected_victim(bool on_disk) const {
    std::map<std::uint64_t, ChunkKey> copies, others;
    for (const TableEntry* entry : table_.in_order_of_use()) {
      const bool is_pinned = table_.pins().is_pinned(entry->key);
      if (on_disk) {
        if (entry->is_on_disk && !is_pinned && !has_child(entry->key, true)) {
          others[entry->recency] = entry->key;
        }
      } else if (entry->memory && entry->is_on_disk) {
        copies[entry->recency] = entry->key;
      } else if (entry->memory && !is_pinned && !entry->is_write_pending &&
                 !has_child(entry->key, false)) {
        others[entry->recency] = entry->key;
      }
    }
    const auto& first = copies.empty() ? others : copies;
    if (first.empty()) return {};
    return first.begin()->second;
  }

  Random random_;
  std::vector<SharedChunk> chunks_;
  StoreTable table_;
};

TEST(StoreTable, AgreesWithAPlainRecomputationUnderRandomOperations) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    TableModel model(seed);
    for (int step = 0; step < 300; ++step) {
      model.step();
      ASSERT_NO_FATAL_FAILURE(model.check());
    }
  }
}

}  // namespace
}  // namespace hearth::kv
