// Everything at once, for the thread sanitizer.
#include "hearth/base/thread.h"
#include "hearth/kv/store_test_support.h"

namespace hearth::kv {
namespace {

constexpr std::size_t thread_count = 4;
constexpr int steps = 250;

// Right bytes or a typed refusal, whatever the others do.
void work(ChunkStore& store, const std::vector<TestChain>& chains, std::uint64_t seed) {
  Random random(seed);
  const std::string owner = "thread " + std::to_string(seed);
  for (int step = 0; step < steps; ++step) {
    const TestChain& chain = chains[random.below(chains.size())];
    const SharedChunk& chunk = chain.chunks[random.below(chain.chunks.size())];
    switch (random.below(10)) {
      case 0:
      case 1:
      case 2:
        if (const auto put = store.put(chunk); !put) {
          EXPECT_EQ(put.error().code, Code::resource_exhausted);
        }
        break;
      case 3:
      case 4:
        if (const auto got = store.get(chunk->header.key)) {
          EXPECT_TRUE(same_bytes((*got)->payload, chunk->payload));
        } else {
          EXPECT_EQ(got.error().code, Code::not_found);
        }
        break;
      case 5: (void)store.longest_prefix(chain.layout, chain.tokens); break;
      case 6:
        EXPECT_TRUE(store.pin(std::span(&chunk->header.key, 1), owner));
        EXPECT_TRUE(store.unpin_all(owner));
        break;
      case 7: (void)store.open_for_import(chunk->header.key); break;
      case 8: EXPECT_LE(store.statistics().memory_bytes, 8 * test_chunk_bytes); break;
      case 9:
        if (step % 50 == 0) {
          EXPECT_TRUE(store.gc());
          EXPECT_TRUE(store.verify({}).damaged.empty());
        } else {
          EXPECT_TRUE(store.flush(Deadline::never()));
          (void)store.list();
        }
        break;
    }
  }
}

TEST_F(StoreTest, ServesManyThreads) {
  std::vector<TestChain> chains;
  for (std::uint64_t i = 0; i < 4; ++i) chains.push_back(test_chain(i, 60, 10));
  const auto store = open(with_disk(8, 12));
  {
    std::vector<Thread> threads;
    for (std::size_t i = 0; i < thread_count; ++i) {
      threads.emplace_back("kv-test", [&, i] { work(*store, chains, i + 1); });
    }
  }
  ASSERT_TRUE(store->flush(Deadline::never()));
  EXPECT_LE(expect_clean_directory(directory_.path()), 12 * test_chunk_bytes);
  EXPECT_EQ(store->statistics().damaged_count, 0u);
  EXPECT_EQ(store->statistics().pinned_chunks, 0u);
}

}  // namespace
}  // namespace hearth::kv
