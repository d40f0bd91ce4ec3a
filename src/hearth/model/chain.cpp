#include "hearth/model/chain.h"

#include <algorithm>

#include "hearth/base/check.h"

namespace hearth::model {
namespace {

// Told apart so that no layout can be passed off as a chunk.
constexpr std::string_view root_domain = "hearth chunk root 1";
constexpr std::string_view next_domain = "hearth chunk 1";

}  // namespace

Result<LayoutDigest> LayoutDigest::parse(std::string_view hex) {
  const auto digest = TRY(Digest256::parse(hex));
  return LayoutDigest{digest};
}

Result<ChunkKey> ChunkKey::parse(std::string_view hex) {
  const auto digest = TRY(Digest256::parse(hex));
  return ChunkKey{digest};
}

ChunkKey root_key(const LayoutDigest& layout) {
  return {Blake2b().update(root_domain).update(layout.digest.bytes).finish()};
}

ChunkKey next_key(const ChunkKey& parent, std::span<const Token> tokens) {
  return {Blake2b()
              .update(next_domain)
              .update(parent.digest.bytes)
              .update_number(static_cast<std::uint32_t>(tokens.size()))
              .update(std::as_bytes(tokens))  // bytes.h asserts little endian
              .finish()};
}

std::vector<ChainLink> continue_chain(const ChunkKey& parent, std::uint32_t from,
                                      std::span<const Token> tokens, std::uint32_t chunk_tokens) {
  CHECK(chunk_tokens > 0);
  CHECK(tokens.size() <= UINT32_MAX);
  const auto end = static_cast<std::uint32_t>(tokens.size());
  std::vector<ChainLink> links;
  ChunkKey key = parent;
  for (std::uint32_t begin = from; begin < end;) {
    const std::uint64_t next_multiple = (std::uint64_t{begin} / chunk_tokens + 1) * chunk_tokens;
    const TokenRange range{begin, static_cast<std::uint32_t>(std::min<std::uint64_t>(end, next_multiple))};
    key = next_key(key, tokens.subspan(range.begin, range.count()));
    links.push_back({key, range});
    begin = range.end;
  }
  return links;
}

std::size_t chain_length(std::uint32_t from, std::size_t end, std::uint32_t chunk_tokens) {
  CHECK(chunk_tokens > 0 && from < end);
  return (end - 1) / chunk_tokens - from / chunk_tokens + 1;
}

std::vector<ChunkKey> chunk_keys(const LayoutDigest& layout, std::span<const Token> tokens,
                                 std::uint32_t chunk_tokens) {
  std::vector<ChunkKey> keys;
  for (const ChainLink& link : continue_chain(root_key(layout), 0, tokens, chunk_tokens)) keys.push_back(link.key);
  return keys;
}

}  // namespace hearth::model
