#pragma once
// A KV chunk: the KV state of a run of tokens at a known position after a known prefix, with the
// header that says so. One format serves wire, disk and resume: docs/chunk_format.md.
//
// kv does not know what the payload means. A chunk that passes verify_chunk() carries the bytes its
// producer wrote for exactly these tokens after exactly this prefix; whether they are a sane
// libllama blob is decided by whoever imports (model/state_layout.h).
// Values; pure functions; thread-safe.

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "hearth/base/bytes.h"
#include "hearth/base/digest.h"
#include "hearth/base/result.h"
#include "hearth/model/chain.h"
#include "hearth/model/token.h"
#include "hearth/model/token_range.h"

namespace hearth::kv {

using model::ChunkKey;
using model::LayoutDigest;

inline constexpr std::uint16_t chunk_format_version = 1;
inline constexpr std::uint32_t chunk_tokens_max = 16'384;
inline constexpr std::uint64_t chunk_payload_bytes_max = 1ull << 30;
inline constexpr std::size_t provenance_text_bytes_max = 64;
// The shortest prefix that tells how long the header is.
inline constexpr std::size_t header_probe_bytes = 16;
inline constexpr std::size_t header_fixed_bytes = 152;
inline constexpr std::size_t header_alignment_bytes = 64;  // the payload starts at a multiple
inline constexpr std::size_t header_bytes_max =
    (header_fixed_bytes + chunk_tokens_max * sizeof(Token) + 3 * provenance_text_bytes_max +
     sizeof(Checksum128) + header_alignment_bytes - 1) /
    header_alignment_bytes * header_alignment_bytes;

// Who computed the bytes and how. Not part of the key: two correct producers may differ in bytes.
struct Provenance {
  std::string engine_build;  // "b11669"
  std::string backend;       // "CUDA", "Metal", "CPU"
  std::string producer;      // the node's name
  std::uint32_t ubatch_tokens = 0;
  bool operator==(const Provenance&) const = default;
};

struct ChunkHeader {
  ChunkKey key;
  ChunkKey parent;  // model::root_key(layout) when range.begin is 0
  LayoutDigest layout;
  TokenRange range;
  // The payload lacks what computing on from its end needs (a recurrent state): only a later chunk of
  // the chain that has it makes this one of use. Both kinds have one key.
  bool is_partial = false;
  std::uint64_t payload_bytes = 0;
  Checksum128 payload_digest;
  Provenance provenance;
  std::vector<Token> tokens;  // range.count() of them
  bool operator==(const ChunkHeader&) const = default;
};

// The payload is filled in place (an export, a socket, a file) and never copied afterwards.
struct Chunk {
  ChunkHeader header;
  Buffer payload;
};
// Shared by the store's memory tier, the writer thread, and everybody who imports or sends it.
using SharedChunk = std::shared_ptr<const Chunk>;

// What a producer knows before the bytes exist.
struct ChunkOrigin {
  LayoutDigest layout;
  ChunkKey parent;
  std::uint32_t begin = 0;
  std::vector<Token> tokens;
  Provenance provenance;
  bool is_partial = false;
};

// Names the chunk and digests the payload: the only place where a digest is made.
// invalid_argument beyond the limits above, or without tokens.
Result<Chunk> make_chunk(ChunkOrigin origin, Buffer payload);

// The length of encode_header(header).
std::size_t header_bytes(const ChunkHeader& header);
// header_bytes() + payload: what the chunk takes on disk and on the wire.
std::uint64_t chunk_bytes(const ChunkHeader& header);
// The header must be within the limits (make_chunk and parse_header see to it): CHECKed.
Bytes encode_header(const ChunkHeader& header);

// How many leading bytes parse_header() needs: header_probe_bytes while `prefix` is shorter than
// that, at most header_bytes_max. Refuses what cannot become a chunk as soon as it shows:
// corrupt (not a chunk, impossible length) or unsupported (version, flags, a sealed chunk).
Result<std::size_t> header_bytes_needed(ByteSpan prefix);

// Structure, limits and checksum; not yet that key and payload are right: see find_fault().
// `bytes` may go on after the header.
Result<ChunkHeader> parse_header(ByteSpan bytes);

// Why a well-formed chunk is not the one that was wanted.
enum class ChunkFault : std::uint8_t {
  foreign_layout,   // computed for another model, context setting or state format
  forged_key,       // the key does not follow from parent, tokens and layout
  wrong_key,        // an honest chunk, but of other tokens or another prefix
  payload_size,     // shorter or longer than the header says
  payload_digest,   // the bytes changed on the way or on disk
};

struct ExpectedChunk {
  std::optional<LayoutDigest> layout;
  std::optional<ChunkKey> key;
};

// The parts that need no payload; in the order of the enumeration.
std::optional<ChunkFault> find_header_fault(const ChunkHeader& header,
                                            const ExpectedChunk& expected);
// All of it; reads the payload once.
std::optional<ChunkFault> find_fault(const ChunkHeader& header, ByteSpan payload,
                                     const ExpectedChunk& expected);
// The same as an Error (corrupt; foreign_layout: invalid_argument) that names both sides.
Result<> verify_chunk(const ChunkHeader& header, ByteSpan payload, const ExpectedChunk& expected);
// For whoever digested the payload while it came.
Result<> verify_chunk(const ChunkHeader& header, std::uint64_t payload_bytes,
                      const Checksum128& payload_digest, const ExpectedChunk& expected);
Error fault_error(ChunkFault fault, const ChunkHeader& header, const ExpectedChunk& expected);

}  // namespace hearth::kv
