#include "hearth/model/chain.h"

#include <gtest/gtest.h>

#include <numeric>
#include <unordered_set>

namespace hearth::model {
namespace {

std::vector<Token> tokens_to(int count) {
  std::vector<Token> tokens(static_cast<std::size_t>(count));
  std::iota(tokens.begin(), tokens.end(), 0);
  return tokens;
}

LayoutDigest layout(std::string_view text) { return {blake2b(as_byte_span(text))}; }

TEST(Chain, LinksCoverEveryTokenOnceAndEndAtMultiplesOfTheChunkLength) {
  struct Case {
    std::uint32_t from, tokens, chunk;
    std::vector<TokenRange> ranges;
  };
  const Case cases[] = {
      {0, 0, 4, {}},
      {0, 3, 4, {{0, 3}}},
      {0, 4, 4, {{0, 4}}},
      {0, 5, 4, {{0, 4}, {4, 5}}},
      {0, 8, 4, {{0, 4}, {4, 8}}},
      {0, 2, 1, {{0, 1}, {1, 2}}},
      {0, 3, UINT32_MAX, {{0, 3}}},
      {4, 9, 4, {{4, 8}, {8, 9}}},
      {5, 9, 4, {{5, 8}, {8, 9}}},  // behind a piece that was stored shorter
      {9, 9, 4, {}},
  };
  for (const Case& c : cases) {
    std::vector<TokenRange> ranges;
    for (const ChainLink& link :
         continue_chain(root_key(layout("x")), c.from, tokens_to(static_cast<int>(c.tokens)), c.chunk)) {
      ranges.push_back(link.range);
    }
    EXPECT_EQ(ranges, c.ranges) << c.from << " to " << c.tokens;
  }
}

TEST(Chain, ItsLengthIsKnownWithoutMakingIt) {
  for (std::uint32_t chunk : {1u, 4u, 7u}) {
    for (std::uint32_t end = 1; end <= 30; ++end) {
      for (std::uint32_t from = 0; from < end; ++from) {
        const auto tokens = tokens_to(static_cast<int>(end));
        EXPECT_EQ(chain_length(from, end, chunk), continue_chain(root_key(layout("x")), from, tokens, chunk).size())
            << from << " to " << end << " by " << chunk;
      }
    }
  }
}

TEST(Chain, ContinuingAChainNamesItsChunksAsBeginningItDoes) {
  const auto tokens = tokens_to(10);
  const auto whole = continue_chain(root_key(layout("x")), 0, tokens, 4);
  const auto rest = continue_chain(whole[0].key, 4, tokens, 4);
  EXPECT_EQ(rest, std::vector(whole.begin() + 1, whole.end()));
}

TEST(Chain, SharedPrefixesShareKeysAndNothingElseDoes) {
  auto a = tokens_to(10);
  auto b = a;
  b[5] = 99;
  const auto keys_a = chunk_keys(layout("x"), a, 4);
  const auto keys_b = chunk_keys(layout("x"), b, 4);
  ASSERT_EQ(keys_a.size(), 3U);
  EXPECT_EQ(keys_a[0], keys_b[0]);
  EXPECT_NE(keys_a[1], keys_b[1]);
  EXPECT_NE(keys_a[2], keys_b[2]);  // same tokens after another prefix
  EXPECT_NE(chunk_keys(layout("y"), a, 4)[0], keys_a[0]);
}

TEST(Chain, TheBoundaryOfAChunkIsPartOfItsName) {
  const auto tokens = tokens_to(4);
  const std::span<const Token> all(tokens);
  const ChunkKey root = root_key(layout("x"));
  EXPECT_NE(next_key(root, all), next_key(next_key(root, all.first(2)), all.last(2)));
  EXPECT_NE(next_key(root, all.first(0)), root);
}

TEST(Chain, KeysAreStable) {
  // A store outlives the program: these values must never change. Computed with Python's hashlib.
  const auto tokens = tokens_to(3);
  EXPECT_EQ(root_key({}).hex(), 
            "cd1a0d148d46d5443fcd0b8170965a7864c94795b88e5530a3e581fd49f526de");
  EXPECT_EQ(next_key(root_key({}), tokens).hex(), 
            "b36ebc2ec58ba2d27f5d531d2f18a214971dafa83ab542a91a933f20f8184950");
}

TEST(Chain, KeysGoThroughHexAndHashTables) {
  const ChunkKey key = root_key(layout("x"));
  const auto parsed = ChunkKey::parse(key.hex());
  ASSERT_TRUE(parsed.has_value());
  EXPECT_EQ(*parsed, key);
  EXPECT_FALSE(ChunkKey::parse("12").has_value());
  EXPECT_FALSE(LayoutDigest::parse("zz").has_value());
  const std::unordered_set<ChunkKey> set{key, next_key(key, {}), key};
  EXPECT_EQ(set.size(), 2U);
}

}  // namespace
}  // namespace hearth::model
