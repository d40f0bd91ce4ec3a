// A file system that fails: each call in turn, for a while, or slowly.
#include <functional>

#include "hearth/kv/store_test_support.h"

namespace hearth::kv {
namespace {

// Whatever failed: budgets hold, nothing half written is there, and what the store says it has it
// can give.
void expect_sound(ChunkStore& store, const TestChain& chain, const std::filesystem::path& path,
                  FaultyFileSystem::When when) {
  const StoreStatistics statistics = store.statistics();
  EXPECT_LE(statistics.memory_bytes, 3 * test_chunk_bytes);
  EXPECT_LE(statistics.disk_bytes, 3 * test_chunk_bytes);
  expect_clean_directory(path);
  for (const SharedChunk& chunk : chain.chunks) {
    if (!store.contains(chunk->header.key)) continue;
    const auto got = store.get(chunk->header.key);
    if (!got) {  // a removal that was reported as failed had removed the file
      EXPECT_EQ(got.error().code, Code::not_found);
      EXPECT_FALSE(store.contains(chunk->header.key));
      EXPECT_EQ(when, FaultyFileSystem::When::after);
      continue;
    }
    EXPECT_TRUE(same_bytes((*got)->payload, chunk->payload));
  }
}

TEST_F(StoreTest, SurvivesTheFailureOfAnyFileOperation) {
  const TestChain chain = test_chain(1, 60, 10);  // more than either tier holds
  const std::vector<ChunkKey> pins = {chain.keys()[0]};
  for (const auto when : {FaultyFileSystem::When::before, FaultyFileSystem::When::after}) {
    for (std::uint64_t nth = 1;; ++nth) {
      SCOPED_TRACE("call " + std::to_string(nth));
      ASSERT_LT(nth, 100u);
      std::filesystem::remove_all(directory_.path() / "store");
      files_.fail_call(nth, when);
      auto opened = ChunkStore::open(with_disk(3, 3), files_, clock_);
      if (!opened) continue;
      ChunkStore& store = **opened;
      const bool is_pinned = store.pin(pins, "notes").has_value();
      EXPECT_EQ(store.pinned("notes").size(), is_pinned ? 1u : 0u);
      for (const SharedChunk& chunk : chain.chunks) {
        (void)store.put(chunk);
        ASSERT_TRUE(store.flush(Deadline::never()));
        expect_sound(store, chain, directory_.path(), when);
      }
      for (Token i = 0; i < 6; ++i) {  // these evict
        (void)store.put(test_shared({.tokens = {i}}));
        ASSERT_TRUE(store.flush(Deadline::never()));
        expect_sound(store, chain, directory_.path(), when);
      }
      EXPECT_TRUE(!is_pinned || store.contains(pins[0]));
      const bool was_reached = files_.calls() >= nth;
      opened->reset();
      files_.fail_call(0);
      const auto again = open(with_disk(3, 3));
      EXPECT_TRUE(!is_pinned || again->pinned("notes") == pins);
      expect_sound(*again, chain, directory_.path(), when);
      if (!was_reached) break;
    }
  }
}

TEST_F(StoreTest, AFullDiskLeavesTheMemoryTierWorking) {
  const auto store = open(with_disk(3, 10));
  files_.set_disk_full(true);
  for (Token i = 0; i < 5; ++i) {
    const SharedChunk chunk = test_shared({.tokens = {i}});
    ASSERT_TRUE(store->put(chunk));
    ASSERT_TRUE(store->flush(Deadline::never()));
    EXPECT_TRUE(store->get(chunk->header.key));
  }
  StoreStatistics statistics = store->statistics();
  EXPECT_TRUE(statistics.is_disk_full);
  EXPECT_EQ(statistics.disk_full_count, 5u);
  EXPECT_NE(statistics.disk_error.find("No space"), std::string::npos);
  EXPECT_EQ(statistics.disk_chunks, 0u);
  EXPECT_EQ(statistics.memory_chunks, 3u);

  files_.set_disk_full(false);
  const SharedChunk last = test_shared({.tokens = {4}});
  EXPECT_EQ(store->put(last).value(), PutOutcome::already_present) << "and goes to disk now";
  ASSERT_TRUE(store->flush(Deadline::never()));
  statistics = store->statistics();
  EXPECT_FALSE(statistics.is_disk_full);
  EXPECT_TRUE(statistics.disk_error.empty());
  EXPECT_EQ(statistics.disk_chunks, 1u);
}

TEST_F(StoreTest, PutDoesNotWaitForTheDiskAndFlushDoes) {
  const auto store = open(with_disk(3, 10));
  files_.hold_writes();
  const TestChain chain = test_chain(1, 40, 10);
  for (std::size_t i = 0; i < 3; ++i) {
    ASSERT_TRUE(store->put(chain.chunks[i]));
    EXPECT_EQ(store->get(chain.keys()[i]).value().get(), chain.chunks[i].get());
  }
  EXPECT_EQ(store->statistics().pending_writes, 3u);
  EXPECT_EQ(store->flush(Deadline::after(std::chrono::milliseconds(1))).error().code,
            Code::timed_out);
  // Nothing that waits for the disk is dropped to make room.
  EXPECT_EQ(store->put(chain.chunks[3]).error().code, Code::resource_exhausted);
  files_.release_writes();
  ASSERT_TRUE(store->flush(Deadline::never()));
  EXPECT_EQ(store->statistics().disk_chunks, 3u);
  ASSERT_TRUE(store->put(chain.chunks[3]));
  ASSERT_TRUE(store->flush(Deadline::never()));
  EXPECT_EQ(store->longest_prefix(chain.layout, chain.tokens).token_count(), 40u);
}

TEST_F(StoreTest, AFullWriteQueueKeepsTheChunkInMemory) {
  StoreOptions options = with_disk(5, 10);
  options.write_queue_chunks_max = 1;
  const auto store = open(options);
  files_.hold_writes();
  const TestChain chain = test_chain(1, 50, 10);
  for (const SharedChunk& chunk : chain.chunks) ASSERT_TRUE(store->put(chunk));
  const std::uint64_t dropped = store->statistics().disk_writes_dropped;
  EXPECT_GE(dropped, 3u);  // one may be in the writer's hands, one in the queue
  files_.release_writes();
  ASSERT_TRUE(store->flush(Deadline::never()));
  EXPECT_EQ(store->statistics().disk_chunks, 5 - dropped);
  EXPECT_TRUE(store->missing(chain.keys()).empty());
}

TEST_F(StoreTest, ClosingGivesUpQueuedWritesWithoutHalfFiles) {
  {
    const auto store = open(with_disk(5, 10));
    files_.hold_writes();
    for (const SharedChunk& chunk : test_chain(1, 50, 10).chunks) ASSERT_TRUE(store->put(chunk));
    files_.release_writes();
  }
  expect_clean_directory(directory_.path());
}

TEST_F(StoreTest, AFileThatCannotBeRemovedStaysCounted) {
  const auto store = open(with_disk(3, 3));
  std::vector<SharedChunk> chunks;
  for (Token i = 0; i < 4; ++i) chunks.push_back(test_shared({.tokens = {i, 2, 3}}));
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(store->put(chunks[static_cast<std::size_t>(i)]));
    ASSERT_TRUE(store->flush(Deadline::never()));
  }
  files_.set_remove_fails(true);
  ASSERT_TRUE(store->put(chunks[3]));
  ASSERT_TRUE(store->flush(Deadline::never()));
  EXPECT_EQ(store->statistics().disk_chunks, 3u);
  EXPECT_GE(store->statistics().remove_failures, 1u);
  EXPECT_EQ(expect_clean_directory(directory_.path()), 3 * test_chunk_bytes);
  files_.set_remove_fails(false);
  ASSERT_TRUE(store->put(chunks[3]));
  ASSERT_TRUE(store->flush(Deadline::never()));
  EXPECT_TRUE(read_chunk_file(path_of(chunks[3]->header.key), {}));
}

}  // namespace
}  // namespace hearth::kv
