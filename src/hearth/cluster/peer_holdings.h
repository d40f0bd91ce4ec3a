#pragma once
// What other machines are known to have of prompts: the chunks that they sent here or fetched from
// here. A belief, not a fact: they may have dropped some since; whoever relies on it finds out when
// the peer computes or fetches them again.
//
// A value; not thread-safe.

#include <cstdint>
#include <deque>
#include <map>
#include <span>
#include <string>
#include <unordered_set>

#include "hearth/kv/store_types.h"

namespace hearth::cluster {

inline constexpr std::size_t holdings_per_peer_max = 8'192;  // chunks: 8 million tokens in chunks of 1,024

class PeerHoldings {
 public:
  // The chunks that are known for longest go first.
  void add(const std::string& peer, const kv::ChunkKey& key);
  void forget(const std::string& peer);
  // `prefix` from position 0. A chain is dropped from its end, and its chunks are computed in order:
  // whoever has one has what comes before it.
  std::uint32_t held_tokens(const std::string& peer, std::span<const kv::PrefixChunk> prefix) const;

 private:
  struct Known {
    std::unordered_set<kv::ChunkKey> keys;
    std::deque<kv::ChunkKey> in_order;
  };
  std::map<std::string, Known> peers_;
};

}  // namespace hearth::cluster
