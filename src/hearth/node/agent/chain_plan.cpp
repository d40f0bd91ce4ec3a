#include "hearth/node/agent/chain_plan.h"

#include <algorithm>

#include "hearth/base/check.h"

namespace hearth::node {

std::vector<ChainLink> continue_chain(const kv::ChunkKey& parent, std::uint32_t from,
                                      std::span<const Token> tokens, std::uint32_t chunk_tokens) {
  CHECK(chunk_tokens > 0);
  const auto end = static_cast<std::uint32_t>(tokens.size());
  std::vector<ChainLink> links;
  kv::ChunkKey key = parent;
  for (std::uint32_t begin = from; begin < end;) {
    const TokenRange range{begin, std::min(end, (begin / chunk_tokens + 1) * chunk_tokens)};
    key = model::next_key(key, tokens.subspan(range.begin, range.count()));
    links.push_back({key, range});
    begin = range.end;
  }
  return links;
}

}  // namespace hearth::node
