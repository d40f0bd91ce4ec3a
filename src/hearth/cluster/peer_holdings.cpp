#include "hearth/cluster/peer_holdings.h"

#include <ranges>

namespace hearth::cluster {

void PeerHoldings::add(const std::string& peer, const kv::ChunkKey& key) {
  Known& known = peers_[peer];
  if (!known.keys.insert(key).second) return;
  known.in_order.push_back(key);
  if (known.in_order.size() <= holdings_per_peer_max) return;
  known.keys.erase(known.in_order.front());
  known.in_order.pop_front();
}

void PeerHoldings::forget(const std::string& peer) { peers_.erase(peer); }

std::uint32_t PeerHoldings::held_tokens(const std::string& peer,
                                        std::span<const kv::PrefixChunk> prefix) const {
  const auto known = peers_.find(peer);
  if (known == peers_.end()) return 0;
  for (const kv::PrefixChunk& piece : std::views::reverse(prefix)) {
    if (known->second.keys.contains(piece.key)) return piece.range.end;
  }
  return 0;
}

}  // namespace hearth::cluster
