#include "hearth/kv/chunk.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "hearth/kv/plain_text.h"

namespace hearth::kv {
namespace {

std::size_t text_bytes(const Provenance& provenance) {
  return provenance.engine_build.size() + provenance.backend.size() + provenance.producer.size();
}

Result<> check_text(std::string_view name, std::string_view text) {
  if (text.size() <= provenance_text_bytes_max && is_plain_text(text)) return {};
  return fail(Code::invalid_argument,
              fmt::format("a chunk's {} is at most {} bytes of UTF-8 without control characters",
                          name, provenance_text_bytes_max));
}

}  // namespace

std::size_t header_bytes(const ChunkHeader& header) {
  const std::size_t used = header_fixed_bytes + header.tokens.size() * sizeof(Token) +
                           text_bytes(header.provenance) + sizeof(Checksum128);
  return (used + header_alignment_bytes - 1) / header_alignment_bytes * header_alignment_bytes;
}

std::uint64_t chunk_bytes(const ChunkHeader& header) {
  return header_bytes(header) + header.payload_bytes;
}

Result<Chunk> make_chunk(ChunkOrigin origin, Buffer payload) {
  const std::size_t count = origin.tokens.size();
  if (count == 0 || count > chunk_tokens_max || origin.begin > UINT32_MAX - count) {
    return fail(Code::invalid_argument, fmt::format("a chunk of {} tokens at {}: 1 to {} are allowed",
                                                    count, origin.begin, chunk_tokens_max));
  }
  if (payload.size() > chunk_payload_bytes_max) {
    return fail(Code::invalid_argument,
                fmt::format("a chunk payload of {} bytes: at most {} are allowed; use fewer tokens "
                            "a chunk",
                            payload.size(), chunk_payload_bytes_max));
  }
  TRY(check_text("engine build", origin.provenance.engine_build));
  TRY(check_text("backend", origin.provenance.backend));
  TRY(check_text("producer", origin.provenance.producer));

  Chunk chunk;
  chunk.header.key = model::next_key(origin.parent, origin.tokens);
  chunk.header.parent = origin.parent;
  chunk.header.layout = origin.layout;
  chunk.header.range = {origin.begin, origin.begin + static_cast<std::uint32_t>(count)};
  chunk.header.is_partial = origin.is_partial;
  chunk.header.payload_bytes = payload.size();
  chunk.header.payload_digest = xxh3_128(std::as_const(payload).span());
  chunk.header.provenance = std::move(origin.provenance);
  chunk.header.tokens = std::move(origin.tokens);
  chunk.payload = std::move(payload);
  return chunk;
}

std::optional<ChunkFault> find_header_fault(const ChunkHeader& header,
                                            const ExpectedChunk& expected) {
  if (expected.layout && header.layout != *expected.layout) return ChunkFault::foreign_layout;
  if (header.tokens.size() != header.range.count()) return ChunkFault::forged_key;
  // Only the first chunk hangs on the layout itself; the others inherit it through their parents.
  const bool is_first = header.range.begin == 0;
  if (is_first != (header.parent == model::root_key(header.layout))) return ChunkFault::forged_key;
  if (header.key != model::next_key(header.parent, header.tokens)) return ChunkFault::forged_key;
  if (expected.key && header.key != *expected.key) return ChunkFault::wrong_key;
  return {};
}

std::optional<ChunkFault> find_fault(const ChunkHeader& header, ByteSpan payload,
                                     const ExpectedChunk& expected) {
  if (const auto fault = find_header_fault(header, expected)) return fault;
  if (payload.size() != header.payload_bytes) return ChunkFault::payload_size;
  if (xxh3_128(payload) != header.payload_digest) return ChunkFault::payload_digest;
  return {};
}

Result<> verify_chunk(const ChunkHeader& header, ByteSpan payload, const ExpectedChunk& expected) {
  const auto fault = find_fault(header, payload, expected);
  if (fault) return std::unexpected(fault_error(*fault, header, expected));
  return {};
}

Result<> verify_chunk(const ChunkHeader& header, std::uint64_t payload_bytes,
                      const Checksum128& payload_digest, const ExpectedChunk& expected) {
  auto fault = find_header_fault(header, expected);
  if (!fault && payload_bytes != header.payload_bytes) fault = ChunkFault::payload_size;
  if (!fault && payload_digest != header.payload_digest) fault = ChunkFault::payload_digest;
  if (fault) return std::unexpected(fault_error(*fault, header, expected));
  return {};
}

Error fault_error(ChunkFault fault, const ChunkHeader& header, const ExpectedChunk& expected) {
  const std::string name = fmt::format("chunk {} (tokens {} to {})", header.key.short_hex(),
                                       header.range.begin, header.range.end);
  switch (fault) {
    case ChunkFault::foreign_layout:
      return {Code::invalid_argument,
              fmt::format("{} has KV layout {}, ours is {}: model, tokenizer, RoPE, KV types and "
                          "flash attention must be equal on both machines",
                          name, header.layout.short_hex(), expected.layout->short_hex())};
    case ChunkFault::forged_key:
      return {Code::corrupt,
              fmt::format("{}: the key does not follow from its parent {} and its tokens", name,
                          header.parent.short_hex())};
    case ChunkFault::wrong_key:
      return {Code::corrupt,
              fmt::format("{} came where {} was expected", name, expected.key->short_hex())};
    case ChunkFault::payload_size:
      return {Code::corrupt, fmt::format("{}: the payload is not the {} bytes its header says",
                                         name, header.payload_bytes)};
    case ChunkFault::payload_digest:
      return {Code::corrupt,
              fmt::format("{}: payload digest differs; the bytes changed after they were made",
                          name)};
  }
  return {Code::internal, name};
}

}  // namespace hearth::kv
