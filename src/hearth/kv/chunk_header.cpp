// The header's bytes; docs/chunk_format.md is the reference.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "hearth/base/check.h"
#include "hearth/kv/chunk.h"
#include "hearth/kv/plain_text.h"

namespace hearth::kv {
namespace {

// A byte above 127, line ends of both kinds and an end-of-file mark: text-mode damage shows here.
constexpr std::array<unsigned char, 8> magic = {0x89, 'H', 'K', 'V', 0x0d, 0x0a, 0x1a, 0x0a};
constexpr std::size_t version_offset = 8;
constexpr std::size_t flags_offset = 10;
constexpr std::size_t length_offset = 12;
constexpr std::uint16_t flag_sealed = 1;  // payload encrypted: reserved
constexpr std::uint16_t flag_partial = 2;

template <class T>
T number_at(ByteSpan bytes, std::size_t offset) {
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof(T));
  return value;
}

Result<> check_magic(ByteSpan prefix) {
  const std::size_t known = std::min(prefix.size(), magic.size());
  const auto wanted = std::as_bytes(std::span(magic)).first(known);
  if (std::equal(wanted.begin(), wanted.end(), prefix.begin())) return {};
  return fail(Code::corrupt, fmt::format("not a KV chunk: it starts with {}, expected {}",
                                         to_hex(prefix.first(known)), to_hex(wanted)));
}

Result<> check_version(ByteSpan prefix) {
  const auto version = number_at<std::uint16_t>(prefix, version_offset);
  if (version == 0) return fail(Code::corrupt, "chunk format version 0 was never used");
  if (version != chunk_format_version) {
    return fail(Code::unsupported,
                fmt::format("chunk format version {}, this build reads version {}: run the same "
                            "Hearth on both machines, or clear the chunk store",
                            version, chunk_format_version));
  }
  const auto flags = number_at<std::uint16_t>(prefix, flags_offset);
  if ((flags & flag_sealed) != 0) {
    return fail(Code::unsupported,
                "the chunk is sealed (encrypted); this build cannot open sealed chunks");
  }
  if ((flags & ~flag_partial) != 0) {
    return fail(Code::unsupported, fmt::format("unknown chunk flags {:#06x}", flags));
  }
  return {};
}

Result<ChunkKey> read_key(ByteReader& reader, std::string_view what) {
  const ByteSpan bytes = TRY(reader.read_bytes(sizeof(Digest256::bytes), what));
  ChunkKey key;
  std::memcpy(key.digest.bytes.data(), bytes.data(), bytes.size());
  return key;
}

Result<std::string> read_text(ByteReader& reader, std::uint8_t bytes, std::string_view what) {
  const ByteSpan raw = TRY(reader.read_bytes(bytes, what));
  if (bytes > provenance_text_bytes_max || !is_plain_text(as_text(raw))) {
    return fail(Code::corrupt, fmt::format("{} is not at most {} bytes of plain UTF-8", what,
                                           provenance_text_bytes_max));
  }
  return std::string(as_text(raw));
}

Result<> read_fixed_part(ByteReader& reader, ChunkHeader& header) {
  header.payload_bytes = TRY(reader.read<std::uint64_t>("payload size"));
  header.range.begin = TRY(reader.read<std::uint32_t>("first token"));
  header.range.end = TRY(reader.read<std::uint32_t>("last token"));
  header.key = TRY(read_key(reader, "key"));
  header.parent = TRY(read_key(reader, "parent key"));
  const ChunkKey layout = TRY(read_key(reader, "layout digest"));
  header.layout = LayoutDigest{layout.digest};
  header.payload_digest.low = TRY(reader.read<std::uint64_t>("payload digest"));
  header.payload_digest.high = TRY(reader.read<std::uint64_t>("payload digest"));
  header.provenance.ubatch_tokens = TRY(reader.read<std::uint32_t>("ubatch"));
  if (header.payload_bytes > chunk_payload_bytes_max) {
    return fail(Code::corrupt, fmt::format("chunk payload of {} bytes: at most {} are allowed",
                                           header.payload_bytes, chunk_payload_bytes_max));
  }
  if (header.range.is_empty() || header.range.count() > chunk_tokens_max) {
    return fail(Code::corrupt, fmt::format("chunk of tokens {} to {}: 1 to {} are allowed",
                                           header.range.begin, header.range.end,
                                           chunk_tokens_max));
  }
  return {};
}

Result<> read_variable_part(ByteReader& reader, ChunkHeader& header) {
  const auto build_bytes = TRY(reader.read<std::uint8_t>("engine build length"));
  const auto backend_bytes = TRY(reader.read<std::uint8_t>("backend length"));
  const auto producer_bytes = TRY(reader.read<std::uint8_t>("producer length"));
  const auto reserved = TRY(reader.read<std::uint8_t>("reserved byte"));
  if (reserved != 0) return fail(Code::corrupt, "the reserved header byte is not zero");
  header.tokens.resize(header.range.count());
  const ByteSpan tokens =
      TRY(reader.read_bytes(header.tokens.size() * sizeof(Token), "token ids"));
  std::memcpy(header.tokens.data(), tokens.data(), tokens.size());
  header.provenance.engine_build = TRY(read_text(reader, build_bytes, "engine build"));
  header.provenance.backend = TRY(read_text(reader, backend_bytes, "backend"));
  header.provenance.producer = TRY(read_text(reader, producer_bytes, "producer"));
  return {};
}

Checksum128 stored_checksum(ByteSpan header) {
  const std::size_t offset = header.size() - sizeof(Checksum128);
  return {number_at<std::uint64_t>(header, offset), number_at<std::uint64_t>(header, offset + 8)};
}

// What lies between the last text and the checksum: zeros, and no more than the alignment asks.
Result<> check_padding(const ByteReader& reader, ByteSpan body, const ChunkHeader& header) {
  const ByteSpan padding = body.subspan(reader.position());
  const bool is_exact = header_bytes(header) == body.size() + sizeof(Checksum128);
  if (!is_exact || std::any_of(padding.begin(), padding.end(),
                               [](std::byte b) { return b != std::byte{0}; })) {
    return fail(Code::corrupt, fmt::format("chunk header of {} bytes: its fields make {} bytes, "
                                           "padded with zeros",
                                           body.size() + sizeof(Checksum128),
                                           header_bytes(header)));
  }
  return {};
}

}  // namespace

Bytes encode_header(const ChunkHeader& header) {
  CHECK(!header.tokens.empty() && header.tokens.size() <= chunk_tokens_max);
  CHECK(header.tokens.size() == header.range.count());
  CHECK(header.provenance.engine_build.size() <= provenance_text_bytes_max);
  CHECK(header.provenance.backend.size() <= provenance_text_bytes_max);
  CHECK(header.provenance.producer.size() <= provenance_text_bytes_max);
  const std::size_t total_bytes = header_bytes(header);
  ByteWriter out;
  out.write_bytes(std::as_bytes(std::span(magic)));
  out.write(chunk_format_version);
  out.write(header.is_partial ? flag_partial : std::uint16_t{0});
  out.write(static_cast<std::uint32_t>(total_bytes));
  out.write(header.payload_bytes);
  out.write(header.range.begin);
  out.write(header.range.end);
  out.write_bytes(header.key.digest.bytes);
  out.write_bytes(header.parent.digest.bytes);
  out.write_bytes(header.layout.digest.bytes);
  out.write(header.payload_digest.low);
  out.write(header.payload_digest.high);
  out.write(header.provenance.ubatch_tokens);
  out.write(static_cast<std::uint8_t>(header.provenance.engine_build.size()));
  out.write(static_cast<std::uint8_t>(header.provenance.backend.size()));
  out.write(static_cast<std::uint8_t>(header.provenance.producer.size()));
  out.write(std::uint8_t{0});
  CHECK(out.bytes().size() == header_fixed_bytes);
  out.write_bytes(std::as_bytes(std::span(header.tokens)));
  out.write_bytes(as_byte_span(header.provenance.engine_build));
  out.write_bytes(as_byte_span(header.provenance.backend));
  out.write_bytes(as_byte_span(header.provenance.producer));
  while (out.bytes().size() + sizeof(Checksum128) < total_bytes) out.write(std::uint8_t{0});
  const Checksum128 checksum = xxh3_128(out.bytes());
  out.write(checksum.low);
  out.write(checksum.high);
  return out.take();
}

Result<std::size_t> header_bytes_needed(ByteSpan prefix) {
  TRY(check_magic(prefix));
  if (prefix.size() >= length_offset) TRY(check_version(prefix));
  if (prefix.size() < header_probe_bytes) return header_probe_bytes;
  const auto bytes = number_at<std::uint32_t>(prefix, length_offset);
  const std::size_t bytes_min = header_fixed_bytes + sizeof(Token) + sizeof(Checksum128);
  if (bytes < bytes_min || bytes > header_bytes_max || bytes % header_alignment_bytes != 0) {
    return fail(Code::corrupt,
                fmt::format("chunk header of {} bytes: a multiple of {} from {} to {} is expected",
                            bytes, header_alignment_bytes, bytes_min, header_bytes_max));
  }
  return std::size_t{bytes};
}

Result<ChunkHeader> parse_header(ByteSpan bytes) {
  const std::size_t needed = TRY(header_bytes_needed(bytes));
  if (bytes.size() < needed) {
    return fail(Code::corrupt, fmt::format("chunk header ends after {} of {} bytes", bytes.size(),
                                           needed));
  }
  bytes = bytes.first(needed);
  const ByteSpan body = bytes.first(needed - sizeof(Checksum128));
  if (xxh3_128(body) != stored_checksum(bytes)) {
    return fail(Code::corrupt, "chunk header checksum differs: the header is damaged");
  }
  ByteReader reader(body);
  TRY(reader.read_bytes(header_probe_bytes, "start"));
  ChunkHeader header;
  header.is_partial = (number_at<std::uint16_t>(bytes, flags_offset) & flag_partial) != 0;
  TRY(read_fixed_part(reader, header));
  TRY(read_variable_part(reader, header));
  TRY(check_padding(reader, body, header));
  return header;
}

}  // namespace hearth::kv
