// The cache of token ids: bounded both ways.
#include <gtest/gtest.h>

#include "hearth/gateway/prompt_builder.h"

namespace hearth::gateway {
namespace {

Digest256 key(std::uint32_t number) {
  return blake2b(std::as_bytes(std::span(&number, 1)));
}

TEST(TokenCache, IsBoundedByTokensAndForgetsTheOldest) {
  TokenCache cache;
  const std::size_t quarter = TokenCache::tokens_max / 4;
  for (std::uint32_t i = 0; i < 4; ++i) cache.put(key(i), std::vector<Token>(quarter));
  ASSERT_NE(cache.find(key(0)), nullptr);  // used again
  cache.put(key(4), std::vector<Token>(quarter));
  EXPECT_NE(cache.find(key(0)), nullptr);
  EXPECT_EQ(cache.find(key(1)), nullptr);
  EXPECT_NE(cache.find(key(4)), nullptr);
  cache.put(key(5), std::vector<Token>(TokenCache::tokens_max + 1));
  EXPECT_EQ(cache.find(key(5)), nullptr);
  EXPECT_NE(cache.find(key(4)), nullptr);
}

// Short texts cost more than their ids.
TEST(TokenCache, IsBoundedByEntries) {
  TokenCache cache;
  const auto entries = static_cast<std::uint32_t>(TokenCache::entries_max);
  for (std::uint32_t i = 0; i <= entries; ++i) cache.put(key(i), {1});
  EXPECT_EQ(cache.find(key(0)), nullptr);
  EXPECT_NE(cache.find(key(1)), nullptr);
  EXPECT_NE(cache.find(key(entries)), nullptr);
}

TEST(TokenCache, KeepsTheFirstOfTwo) {
  TokenCache cache;
  cache.put(key(1), {1});
  cache.put(key(1), {2, 3});
  EXPECT_EQ(*cache.find(key(1)), std::vector<Token>{1});
}

}  // namespace
}  // namespace hearth::gateway
