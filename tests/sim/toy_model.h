#pragma once
// A model whose answers depend on every bit of its KV: the KV of a chunk is its key, and an answer
// follows from all of them in order. A chunk lost, doubled, swapped or foreign gives another text.

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "hearth/kv/chunk.h"
#include "hearth/model/chain.h"

namespace hearth::sim {

inline constexpr std::uint32_t toy_chunk_tokens = 16;
inline constexpr double toy_kv_bytes_per_token = 100e3;  // on the wire; payloads are short
inline const std::string toy_model_name = "toy";

inline model::LayoutDigest toy_layout() { return {blake2b(as_byte_span("toy layout"))}; }

// A prompt and the chain of everything but its last token.
struct Prompt {
  std::vector<Token> tokens;
  std::vector<kv::ChunkKey> keys;
  std::vector<TokenRange> ranges;

  static Prompt of(std::vector<Token> tokens) {
    Prompt out{std::move(tokens), {}, {}};
    const auto all_but_last = std::span(out.tokens).first(out.tokens.size() - 1);
    for (const model::ChainLink& link :
         model::continue_chain(model::root_key(toy_layout()), 0, all_but_last, toy_chunk_tokens)) {
      out.keys.push_back(link.key);
      out.ranges.push_back(link.range);
    }
    return out;
  }
  std::uint32_t token_count() const { return static_cast<std::uint32_t>(tokens.size()); }
  std::uint32_t end_of(std::size_t chunks) const {
    return chunks == 0 ? 0 : ranges[chunks - 1].end;
  }
};

// `payload_bytes`: other than a key's are no KV that an engine takes.
inline kv::SharedChunk make_toy_chunk(const Prompt& prompt, std::uint32_t index,
                                      std::size_t payload_bytes = sizeof(Digest256)) {
  kv::ChunkOrigin origin;
  origin.layout = toy_layout();
  origin.parent = index == 0 ? model::root_key(toy_layout()) : prompt.keys[index - 1];
  origin.begin = prompt.ranges[index].begin;
  origin.tokens.assign(prompt.tokens.begin() + prompt.ranges[index].begin,
                       prompt.tokens.begin() + prompt.ranges[index].end);
  Buffer payload = Buffer::create(payload_bytes).value();
  std::memcpy(payload.data(), prompt.keys[index].digest.bytes.data(), payload_bytes);
  return std::make_shared<const kv::Chunk>(
      kv::make_chunk(std::move(origin), std::move(payload)).value());
}

// Of a whole one.
inline std::uint64_t toy_chunk_bytes() {
  return kv::chunk_bytes(make_toy_chunk(Prompt::of(std::vector<Token>(toy_chunk_tokens + 1)), 0)->header);
}

// What the engine reads out of a payload, whatever the header says.
inline kv::ChunkKey kv_of(const kv::Chunk& chunk) {
  kv::ChunkKey out;
  std::memcpy(out.digest.bytes.data(), chunk.payload.data(),
              std::min(chunk.payload.size(), sizeof(Digest256)));
  return out;
}

// `imported`: the KV in the sequence; the rest of the prompt is computed.
inline std::vector<Token> toy_answer(const Prompt& prompt,
                                     const std::vector<kv::ChunkKey>& imported) {
  Blake2b hash;
  for (const auto& key : imported) hash.update(key.digest.bytes);
  for (std::size_t i = imported.size(); i < prompt.keys.size(); ++i) {
    hash.update(prompt.keys[i].digest.bytes);
  }
  hash.update_number(prompt.tokens.back());
  const Digest256 digest = hash.finish();
  std::vector<Token> out(2 + std::to_integer<std::size_t>(digest.bytes[0]) % 12);
  for (std::size_t i = 0; i < out.size(); ++i) {
    out[i] =
        std::to_integer<int>(digest.bytes[1 + i]) * 256 + std::to_integer<int>(digest.bytes[2 + i]);
  }
  return out;
}

}  // namespace hearth::sim
