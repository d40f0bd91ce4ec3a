#include "hearth/node/agent/prefill_job.h"

#include "hearth/kv/test_support.h"

namespace hearth::node {
namespace {

class FetchedChunk : public ::testing::Test {
 protected:
  PrefillCall call() const {
    return {.ticket = {.layout = chain_.layout}, .chunk_tokens = 10, .stored = chain_.keys(), .from = 40, .fetch_stored = true};
  }
  bool fits(const kv::ChunkHeader& header, std::optional<TokenRange> before) const {
    return check_fetched(header, call(), chain_.tokens, before).has_value();
  }
  const kv::TestChain chain_ = kv::test_chain(1, 40, 10);
};

TEST_F(FetchedChunk, StandsInItsPlaceOfThePromptThatCameWithIt) {
  EXPECT_TRUE(fits(chain_.chunks[0]->header, std::nullopt));
  EXPECT_TRUE(fits(chain_.chunks[2]->header, TokenRange{10, 20}));
}

TEST_F(FetchedChunk, IsRefusedInAnyOtherPlace) {
  EXPECT_FALSE(fits(chain_.chunks[2]->header, std::nullopt)) << "the one before it is not here";
  EXPECT_FALSE(fits(chain_.chunks[2]->header, TokenRange{0, 10}));
  kv::ChunkHeader moved = chain_.chunks[2]->header;
  moved.range = {10, 20};  // the key does not say where
  EXPECT_FALSE(fits(moved, TokenRange{0, 10}));
  EXPECT_FALSE(fits(moved, TokenRange{10, 20}));
  kv::ChunkHeader long_one = chain_.chunks[3]->header;
  long_one.range = {30, 4'000'000'000};
  EXPECT_FALSE(fits(long_one, TokenRange{20, 30}));
}

TEST_F(FetchedChunk, IsRefusedWhenItIsOfAnotherPrompt) {
  const kv::TestChain other = kv::test_chain(2, 40, 10);
  EXPECT_FALSE(fits(other.chunks[0]->header, std::nullopt)) << "nobody asked for it";
  PrefillCall lying = call();
  lying.stored = other.keys();
  EXPECT_FALSE(check_fetched(other.chunks[0]->header, lying, chain_.tokens, std::nullopt));
  lying = call();
  lying.from = 25;  // less than the chunk covers
  EXPECT_FALSE(check_fetched(chain_.chunks[2]->header, lying, chain_.tokens, TokenRange{10, 20}));
}

}  // namespace
}  // namespace hearth::node
