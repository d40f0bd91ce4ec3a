// Random operations on a store with small budgets, against a plain map of everything ever put.
#include <map>

#include "hearth/kv/store_test_support.h"

namespace hearth::kv {
namespace {

constexpr std::uint64_t memory_chunks = 6;
constexpr std::uint64_t disk_chunks = 10;

class StoreModelTest : public StoreTest {
 protected:
  void start(std::uint64_t seed) {
    random_.emplace(seed);
    std::filesystem::remove_all(directory_.path() / "store");
    first_put_.clear();
    pinned_.clear();
    chains_.clear();
    for (std::uint64_t chain = 0; chain < 5; ++chain) {
      chains_.push_back(test_chain(seed * 10 + chain, 60, 10, 20 + random_->below(81)));
    }
    store_ = open(with_disk(memory_chunks, disk_chunks));
  }

  void step() {
    const TestChain& chain = chains_[random_->below(chains_.size())];
    const std::size_t i = random_->below(chain.chunks.size());
    switch (random_->below(12)) {
      case 0:
      case 1:
      case 2:
      case 3: put(*chain.chunks[i], /*other_bytes=*/random_->chance(0.2)); break;
      case 4:
      case 5:
      case 6: expect_right_or_absent(chain.keys()[i], store_->get(chain.keys()[i])); break;
      case 7: flip_pin(chain.keys()[i]); break;
      case 8: expect_true_prefix(chain); break;
      case 9: ASSERT_TRUE(store_->flush(Deadline::never())); break;
      case 10: damage(chain.keys()[i]); break;
      case 11:
        if (random_->chance(0.2)) reopen();
        break;
    }
  }

  void check() {
    const StoreStatistics statistics = store_->statistics();
    ASSERT_LE(statistics.memory_bytes, memory_chunks * test_chunk_bytes);
    ASSERT_LE(statistics.disk_bytes, disk_chunks * test_chunk_bytes);
    ASSERT_EQ(statistics.remove_failures, 0u);
    for (const ChunkKey& key : pinned_) ASSERT_TRUE(store_->contains(key)) << "pinned, yet gone";
  }

  void finish() {
    ASSERT_TRUE(store_->flush(Deadline::never()));
    ASSERT_TRUE(store_->verify({}).is_complete);
    ASSERT_TRUE(store_->flush(Deadline::never()));  // of a damaged file a good copy is written again
    ASSERT_LE(expect_clean_directory(directory_.path()), disk_chunks * test_chunk_bytes);
    store_.reset();
  }

 private:
  void put(const Chunk& wanted, bool other_bytes) {
    ChunkOrigin origin{wanted.header.layout, wanted.header.parent, wanted.header.range.begin,
                       wanted.header.tokens, wanted.header.provenance};
    Buffer payload = test_payload(other_bytes ? random_->next() : 5, wanted.payload.size());
    const auto chunk =
        std::make_shared<const Chunk>(make_chunk(std::move(origin), std::move(payload)).value());
    const ChunkKey key = chunk->header.key;
    const auto put = store_->put(chunk);
    if (!put) {
      ASSERT_EQ(put.error().code, Code::resource_exhausted);
      ASSERT_FALSE(store_->contains(key));
    } else if (*put == PutOutcome::stored) {
      first_put_[key] = chunk;
    } else {
      ASSERT_TRUE(first_put_.contains(key));
    }
  }

  void expect_right_or_absent(const ChunkKey& key, const Result<SharedChunk>& got) {
    if (!got) {
      ASSERT_EQ(got.error().code, Code::not_found);
      ASSERT_FALSE(pinned_.contains(key));
      return;
    }
    const auto first = first_put_.find(key);
    ASSERT_NE(first, first_put_.end()) << "never put";
    ASSERT_EQ((*got)->header, first->second->header);
    ASSERT_TRUE(same_bytes((*got)->payload, first->second->payload)) << "not the first writer's";
  }

  // Only what is there: a pin on an absent key promises nothing yet.
  void flip_pin(const ChunkKey& key) {
    if (pinned_.erase(key) > 0) {
      ASSERT_TRUE(store_->unpin(std::span(&key, 1), "me"));
    } else if (pinned_.size() < 4 && store_->flush(Deadline::never()) && store_->contains(key)) {
      ASSERT_TRUE(store_->pin(std::span(&key, 1), "me"));
      pinned_.insert(key);
    }
  }

  void expect_true_prefix(const TestChain& chain) {
    std::size_t expected = 0;
    while (expected < chain.chunks.size() && store_->contains(chain.keys()[expected])) ++expected;
    const StoredPrefix prefix = store_->longest_prefix(chain.layout, chain.tokens);
    ASSERT_EQ(prefix.chunks.size(), expected);
    for (std::size_t i = 0; i < expected; ++i) {
      ASSERT_EQ(prefix.chunks[i].key, chain.keys()[i]);
    }
  }

  void damage(const ChunkKey& key) {
    if (pinned_.contains(key) || !random_->chance(0.3)) return;
    ASSERT_TRUE(store_->flush(Deadline::never()));
    std::error_code error;
    const auto size = std::filesystem::file_size(path_of(key), error);
    if (!error) std::filesystem::resize_file(path_of(key), random_->below(size));
  }

  void reopen() {
    ASSERT_TRUE(store_->flush(Deadline::never()));
    for (auto it = pinned_.begin(); it != pinned_.end();) {
      // A chunk that did not fit the disk is in memory only.
      it = std::filesystem::exists(path_of(*it)) ? std::next(it) : drop_pin(it);
    }
    store_.reset();
    store_ = open(with_disk(memory_chunks, disk_chunks));
  }

  std::set<ChunkKey>::iterator drop_pin(std::set<ChunkKey>::iterator it) {
    EXPECT_TRUE(store_->unpin(std::span(&*it, 1), "me"));
    return pinned_.erase(it);
  }

  std::optional<Random> random_;
  std::unique_ptr<ChunkStore> store_;
  std::vector<TestChain> chains_;
  std::map<ChunkKey, SharedChunk> first_put_;
  std::set<ChunkKey> pinned_;
};

TEST_F(StoreModelTest, AgreesWithAPlainMapUnderRandomOperations) {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    start(seed);
    for (int i = 0; i < 150; ++i) {
      ASSERT_NO_FATAL_FAILURE(step());
      ASSERT_NO_FATAL_FAILURE(check());
    }
    ASSERT_NO_FATAL_FAILURE(finish());
  }
}

}  // namespace
}  // namespace hearth::kv
