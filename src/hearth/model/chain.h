#pragma once
// Names for KV chunks. A chain of keys starts from the digest of everything that must be equal
// for KV bytes to be interchangeable and continues over the tokens:
//
//   root     = BLAKE2b("hearth chunk root 1" || layout digest)
//   next     = BLAKE2b("hearth chunk 1" || parent || token count u32 || token ids i32, LE)
//
// So a key names a whole prefix, and two prefixes that share their start share their keys.
// It names tokens and layout, not bytes: two correct producers may store different bytes.
// Values; pure.

#include <compare>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "hearth/base/digest.h"
#include "hearth/base/result.h"
#include "hearth/model/token.h"
#include "hearth/model/token_range.h"

namespace hearth::model {

struct LayoutDigest {
  Digest256 digest;
  auto operator<=>(const LayoutDigest&) const = default;
  std::string hex() const { return digest.hex(); }
  std::string short_hex() const { return digest.short_hex(); }
  static Result<LayoutDigest> parse(std::string_view hex);
};

struct ChunkKey {
  Digest256 digest;
  auto operator<=>(const ChunkKey&) const = default;
  std::string hex() const { return digest.hex(); }
  std::string short_hex() const { return digest.short_hex(); }
  static Result<ChunkKey> parse(std::string_view hex);
};

ChunkKey root_key(const LayoutDigest& layout);
ChunkKey next_key(const ChunkKey& parent, std::span<const Token> tokens);

// One chunk of a chain: its name and what it covers.
struct ChainLink {
  ChunkKey key;
  TokenRange range;
  bool operator==(const ChainLink&) const = default;
};

// How the tokens from position `from` on, behind the chunk named `parent`, are cut and named: at multiples
// of the chunk length, whatever `from` is, and at the end, where a link may be shorter. Everybody cuts
// the same tokens alike. `tokens` begin at position 0 and are what is to be stored: prefill stops one
// token before the end of a prompt, which is the caller's subtraction. CHECKs that chunk_tokens > 0.
std::vector<ChainLink> continue_chain(const ChunkKey& parent, std::uint32_t from,
                                      std::span<const Token> tokens, std::uint32_t chunk_tokens);

// How many links that makes of the tokens from `from` up to `end`, which is beyond it.
std::size_t chain_length(std::uint32_t from, std::size_t end, std::uint32_t chunk_tokens);

// The keys of the chain of `tokens` from its root.
std::vector<ChunkKey> chunk_keys(const LayoutDigest& layout, std::span<const Token> tokens,
                                 std::uint32_t chunk_tokens);

}  // namespace hearth::model

template <>
struct std::hash<hearth::model::LayoutDigest> {
  std::size_t operator()(const hearth::model::LayoutDigest& d) const noexcept {
    return std::hash<hearth::Digest256>{}(d.digest);
  }
};
template <>
struct std::hash<hearth::model::ChunkKey> {
  std::size_t operator()(const hearth::model::ChunkKey& k) const noexcept {
    return std::hash<hearth::Digest256>{}(k.digest);
  }
};
