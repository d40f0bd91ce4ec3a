#include "hearth/cluster/peer_holdings.h"

#include <gtest/gtest.h>

#include <vector>

#include "hearth/model/chain.h"

namespace hearth::cluster {
namespace {

std::vector<kv::PrefixChunk> chain_of(std::size_t chunks) {
  std::vector<kv::PrefixChunk> out;
  kv::ChunkKey key = model::root_key({});
  for (std::uint32_t i = 0; i < chunks; ++i) {
    key = model::next_key(key, std::vector<Token>{Token(i)});
    out.push_back({.key = key, .range = {i, i + 1}});
  }
  return out;
}

TEST(PeerHoldings, APrefixIsHeldUpToTheLastChunkThatThePeerWasSeenWith) {
  const auto prefix = chain_of(4);
  PeerHoldings holdings;
  EXPECT_EQ(holdings.held_tokens("spark", prefix), 0u);
  holdings.add("spark", prefix[0].key);
  EXPECT_EQ(holdings.held_tokens("spark", prefix), 1u);
  holdings.add("spark", prefix[2].key);
  EXPECT_EQ(holdings.held_tokens("spark", prefix), 3u);
  EXPECT_EQ(holdings.held_tokens("studio", prefix), 0u);
  EXPECT_EQ(holdings.held_tokens("spark", {}), 0u);
}

TEST(PeerHoldings, APeerThatFailedHasNothing) {
  const auto prefix = chain_of(1);
  PeerHoldings holdings;
  holdings.add("spark", prefix[0].key);
  holdings.forget("spark");
  EXPECT_EQ(holdings.held_tokens("spark", prefix), 0u);
}

TEST(PeerHoldings, TheOldestAreForgottenFirstAndTheNumberIsBounded) {
  const auto chunks = chain_of(holdings_per_peer_max + 1);
  PeerHoldings holdings;
  for (const kv::PrefixChunk& chunk : chunks) {
    holdings.add("spark", chunk.key);
    holdings.add("spark", chunk.key);  // again counts once
  }
  const std::span all(chunks);
  EXPECT_EQ(holdings.held_tokens("spark", all.first(1)), 0u);
  EXPECT_EQ(holdings.held_tokens("spark", all.first(2)), 2u);
  EXPECT_EQ(holdings.held_tokens("spark", all), chunks.size());
}

}  // namespace
}  // namespace hearth::cluster
