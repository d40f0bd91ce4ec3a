#include "hearth/model/chain.h"

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

std::vector<ChunkSpan> plan_chunks(std::uint32_t token_count, std::uint32_t chunk_tokens) {
  CHECK(chunk_tokens > 0);
  std::vector<ChunkSpan> spans;
  const std::uint32_t whole = token_count / chunk_tokens;
  spans.reserve(whole + 1);
  for (std::uint32_t i = 0; i < whole; ++i) {
    spans.push_back({{i * chunk_tokens, (i + 1) * chunk_tokens}, false});
  }
  const std::uint32_t done = whole * chunk_tokens;
  if (done < token_count) spans.push_back({{done, token_count}, true});
  return spans;
}

std::vector<ChunkKey> chunk_keys(const LayoutDigest& layout, std::span<const Token> tokens,
                                 std::uint32_t chunk_tokens) {
  CHECK(tokens.size() <= UINT32_MAX);
  std::vector<ChunkKey> keys;
  ChunkKey key = root_key(layout);
  for (const ChunkSpan& span : plan_chunks(static_cast<std::uint32_t>(tokens.size()), chunk_tokens)) {
    key = next_key(key, tokens.subspan(span.range.begin, span.range.count()));
    keys.push_back(key);
  }
  return keys;
}

}  // namespace hearth::model
