// Who used which chunk, and forgetting somebody's.
#include "hearth/kv/store_test_support.h"

namespace hearth::kv {
namespace {

class StoreUsesTest : public StoreTest {
 protected:
  static std::vector<ChunkKey> keys_of(const TestChain& chain, std::size_t first = 0) {
    std::vector<ChunkKey> out;
    for (std::size_t i = first; i < chain.chunks.size(); ++i) out.push_back(chain.chunks[i]->header.key);
    return out;
  }
  std::size_t files() const {
    std::size_t out = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(directory_.path() / "store")) out += entry.path().extension() == ".kv";
    return out;
  }
  TestChain chain_ = test_chain(1, 16, 4);
};

TEST_F(StoreUsesTest, ForgettingRemovesWhatNobodyElseUsed) {
  const auto store = open(with_disk(20, 100));
  put_all(*store, chain_);
  store->use(keys_of(chain_), "me");
  EXPECT_EQ(files(), 4u);
  const auto report = store->forget("me", Deadline::never());
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(report->dropped, 4u);
  EXPECT_EQ(report->bytes, 4 * test_chunk_bytes);
  EXPECT_EQ(files(), 0u);
  EXPECT_EQ(store->missing(keys_of(chain_)).size(), 4u);
  EXPECT_EQ(store->forget("me", Deadline::never())->dropped, 0u);
}

TEST_F(StoreUsesTest, WhatAnotherUsesStaysWithAllBeforeIt) {
  const auto store = open(with_disk(20, 100));
  put_all(*store, chain_);
  store->use(keys_of(chain_), "me");
  store->use(std::vector{chain_.chunks[1]->header.key}, "you");  // not even the one before it
  const auto report = store->forget("me", Deadline::never());
  EXPECT_EQ(report->dropped, 2u);
  EXPECT_EQ(report->shared, 2u);
  EXPECT_EQ(store->missing(keys_of(chain_)), keys_of(chain_, 2));
  EXPECT_EQ(store->forget("you", Deadline::never())->dropped, 1u);
}

TEST_F(StoreUsesTest, WhatIsPinnedOrContinuedByWhoeverItBeStays) {
  const auto store = open(with_disk(20, 100));
  put_all(*store, chain_);
  ASSERT_TRUE(store->pin(std::vector{chain_.chunks[3]->header.key}, "memory"));
  store->use(keys_of(chain_), "me");
  const auto report = store->forget("me", Deadline::never());
  EXPECT_EQ(report->dropped, 0u);
  EXPECT_EQ(report->pinned, 1u);
  EXPECT_EQ(report->shared, 3u);
}

TEST_F(StoreUsesTest, UsesAreKnownAfterARestartAndEvictedChunksAreNot) {
  {
    const auto store = open(with_disk(20, 100));
    put_all(*store, chain_);
    store->use(keys_of(chain_), "me");
  }
  const auto store = open(with_disk(20, 100));
  EXPECT_EQ(store->forget("me", Deadline::never())->dropped, 4u);
  store->use(keys_of(chain_), "me");  // they are gone
  EXPECT_EQ(store->forget("me", Deadline::never())->dropped, 0u);
}

TEST_F(StoreUsesTest, ADamagedListOfUsesIsNoReasonNotToOpen) {
  {
    const auto store = open(with_disk(20, 100));
    put_all(*store, chain_);
    store->use(keys_of(chain_), "me");
  }
  const ByteSpan nonsense[] = {as_byte_span("nonsense")};
  ASSERT_TRUE(files_.write_atomically(directory_.path() / "store" / uses_file_name, nonsense, Durability::survives_process));
  const auto store = open(with_disk(20, 100));
  EXPECT_EQ(store->forget("me", Deadline::never())->dropped, 0u);
  EXPECT_TRUE(store->missing(keys_of(chain_)).empty());
}

}  // namespace
}  // namespace hearth::kv
