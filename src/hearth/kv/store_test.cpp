// The memory tier, and what holds for both.
#include "hearth/kv/store.h"

#include "hearth/kv/store_test_support.h"

namespace hearth::kv {
namespace {

TEST_F(StoreTest, HandsOutTheVeryChunkThatWasPut) {
  const auto store = open({.directory = {}, .memory_bytes_max = 64 << 20});
  const SharedChunk chunk = test_shared({.payload_bytes = 8 << 20});
  EXPECT_EQ(store->put(chunk).value(), PutOutcome::stored);
  EXPECT_EQ(store->get(chunk->header.key).value().get(), chunk.get()) << "no copy";
  const auto source = store->open_for_import(chunk->header.key).value();
  EXPECT_EQ(std::get<SharedChunk>(source).get(), chunk.get());
}

TEST_F(StoreTest, TheFirstWriterOfAKeyWins) {
  const auto store = open(memory_only(10));
  const SharedChunk first = test_shared({.seed = 1});
  const SharedChunk second = test_shared({.seed = 2});
  ASSERT_EQ(first->header.key, second->header.key);
  EXPECT_EQ(store->put(first).value(), PutOutcome::stored);
  EXPECT_EQ(store->put(first).value(), PutOutcome::already_present);
  EXPECT_EQ(store->put(second).value(), PutOutcome::already_present);
  EXPECT_EQ(store->get(first->header.key).value().get(), first.get());
  const StoreStatistics statistics = store->statistics();
  EXPECT_EQ(statistics.puts_present, 2u);
  EXPECT_EQ(statistics.puts_different, 1u);
  EXPECT_EQ(statistics.memory_chunks, 1u);
}

TEST_F(StoreTest, RefusesAChunkWhoseHeaderDoesNotHoldTogether) {
  const auto store = open(memory_only(10));
  Chunk forged = test_chunk();
  ++forged.header.tokens[0];
  Chunk cut = test_chunk();
  cut.payload.shrink(50);
  for (Chunk* chunk : {&forged, &cut}) {
    const auto put = store->put(std::make_shared<const Chunk>(std::move(*chunk)));
    EXPECT_EQ(put.error().code, Code::invalid_argument);
  }
  EXPECT_EQ(store->statistics().memory_chunks, 0u);
}

TEST_F(StoreTest, EvictsTheLeastRecentlyUsed) {
  const auto store = open(memory_only(3));
  std::vector<ChunkKey> keys;
  for (Token i = 0; i < 3; ++i) {
    const SharedChunk chunk = test_shared({.tokens = {i}});
    keys.push_back(chunk->header.key);
    ASSERT_TRUE(store->put(chunk));
  }
  ASSERT_TRUE(store->get(keys[0]));
  ASSERT_TRUE(store->put(test_shared({.tokens = {100}})));
  EXPECT_TRUE(store->contains(keys[0]));
  EXPECT_EQ(store->missing(keys), std::vector<ChunkKey>{keys[1]});
  EXPECT_EQ(store->get(keys[1]).error().code, Code::not_found);
  EXPECT_EQ(store->statistics().memory_evictions, 1u);
}

TEST_F(StoreTest, AChainBeyondTheBudgetKeepsItsBeginning) {
  const auto store = open(memory_only(3));
  const TestChain chain = test_chain(1, 60, 10);
  for (std::size_t i = 0; i < chain.chunks.size(); ++i) {
    EXPECT_EQ(store->put(chain.chunks[i]).has_value(), i < 3) << i;
  }
  EXPECT_EQ(store->longest_prefix(chain.layout, chain.tokens).token_count(), 30u);
}

TEST_F(StoreTest, APrefixSearchCountsAsUseOfTheWholeChain) {
  const auto store = open(memory_only(6));
  const TestChain old = test_chain(1, 30, 10);
  const TestChain newer = test_chain(2, 30, 10);
  for (const SharedChunk& chunk : old.chunks) ASSERT_TRUE(store->put(chunk));
  for (const SharedChunk& chunk : newer.chunks) ASSERT_TRUE(store->put(chunk));
  EXPECT_EQ(store->longest_prefix(old.layout, old.tokens).chunks.size(), 3u);
  ASSERT_TRUE(store->put(test_shared({.tokens = {1}})));
  EXPECT_TRUE(store->missing(old.keys()).empty());
  EXPECT_EQ(store->missing(newer.keys()), std::vector<ChunkKey>{newer.keys().back()});
}

TEST_F(StoreTest, PinsOfOthersLeaveHalfOfTheStore) {
  const auto store = open(memory_only(10));
  const TestChain mine = test_chain(1, 60, 10), yours = test_chain(2, 10, 10);
  ASSERT_TRUE(store->pin(mine.keys(), "me"));
  put_all(*store, mine);
  const auto refused = store->pin(yours.keys(), "you");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::resource_exhausted);
  EXPECT_TRUE(store->pin(mine.keys(), "you")) << "they are kept anyway";
  ASSERT_TRUE(store->unpin(mine.keys(), "you"));
  EXPECT_TRUE(store->pin(yours.keys(), "me")) << "of its own it may have more";
  ASSERT_TRUE(store->unpin_all("me"));
  EXPECT_TRUE(store->pin(yours.keys(), "you"));
}

TEST_F(StoreTest, PinnedChunksAreNeverEvicted) {
  const auto store = open(memory_only(3));
  const TestChain pinned = test_chain(1, 20, 10);
  ASSERT_TRUE(store->pin(pinned.keys(), "notes"));  // before they arrive
  for (const SharedChunk& chunk : pinned.chunks) ASSERT_TRUE(store->put(chunk));
  for (Token i = 0; i < 20; ++i) ASSERT_TRUE(store->put(test_shared({.tokens = {i}})));
  EXPECT_TRUE(store->missing(pinned.keys()).empty());
  EXPECT_EQ(store->pinned("notes").size(), 2u);
  EXPECT_EQ(store->statistics().pinned_chunks, 2u);
  EXPECT_EQ(store->statistics().pinned_bytes, 2 * test_chunk_bytes);

  ASSERT_TRUE(store->pin(store->missing(std::vector<ChunkKey>{}), "nothing"));
  ASSERT_TRUE(store->unpin_all("notes"));
  for (Token i = 0; i < 20; ++i) ASSERT_TRUE(store->put(test_shared({.tokens = {50 + i}})));
  EXPECT_EQ(store->missing(pinned.keys()).size(), 2u);
}

TEST_F(StoreTest, RefusesAPutWhenOnlyPinnedChunksAreLeft) {
  const auto store = open(memory_only(2));
  const TestChain pinned = test_chain(1, 20, 10);
  ASSERT_TRUE(store->pin(pinned.keys(), "notes"));
  for (const SharedChunk& chunk : pinned.chunks) ASSERT_TRUE(store->put(chunk));
  EXPECT_EQ(store->put(test_shared({.tokens = {1}})).error().code, Code::resource_exhausted);
  EXPECT_EQ(store->put(test_shared({.payload_bytes = 10'000})).error().code,
            Code::resource_exhausted);
  EXPECT_EQ(store->statistics().puts_refused, 2u);
}

TEST_F(StoreTest, ListsChainsWithTheirPins) {
  const auto store = open(memory_only(10));
  const TestChain chain = test_chain(1, 25, 10);
  for (const SharedChunk& chunk : chain.chunks) ASSERT_TRUE(store->put(chunk));
  ASSERT_TRUE(store->pin(chain.keys(), "notes"));
  const auto listed = store->list();
  ASSERT_EQ(listed.size(), 3u);
  EXPECT_EQ(listed[2].range, (TokenRange{20, 25}));
  EXPECT_EQ(listed[2].pin_owners, std::vector<std::string>{"notes"});
  const Json json = to_json(listed[2]);
  EXPECT_EQ(get<std::int64_t>(json, "token_end").value(), 25);
  EXPECT_EQ(get<std::string>(json, "key").value(), chain.keys()[2].hex());
  EXPECT_EQ(get<std::string>(json, "tier").value(), "memory");
  EXPECT_EQ(get<std::uint64_t>(to_json(store->statistics()), "memory_chunks").value(), 3u);
}

TEST_F(StoreTest, NeedsAMemoryBudget) {
  EXPECT_EQ(ChunkStore::open({}, files_, clock_).error().code, Code::invalid_argument);
}

}  // namespace
}  // namespace hearth::kv
