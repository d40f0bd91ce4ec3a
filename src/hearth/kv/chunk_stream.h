#pragma once
// Reads chunks that follow one another in a stream, from pieces of any size. No I/O, and no memory
// beyond one header (header_bytes_max): payload bytes are handed through, not kept.
// Not thread-safe. After a failure the stream has no meaning: every later call fails the same way.

#include <cstdint>
#include <optional>
#include <variant>

#include "hearth/kv/chunk.h"

namespace hearth::kv {

class ChunkStreamReader {
 public:
  struct Options {
    std::uint64_t payload_bytes_max = chunk_payload_bytes_max;  // beyond: resource_exhausted
  };

  struct NeedMore {};  // all input is consumed
  struct HeaderRead {
    ChunkHeader header;  // checksum verified; find_header_fault() is the receiver's part
  };
  struct PayloadRead {
    std::uint64_t offset;
    ByteSpan bytes;  // points into the input
  };
  struct ChunkEnd {};
  using Event = std::variant<NeedMore, HeaderRead, PayloadRead, ChunkEnd>;

  ChunkStreamReader() : ChunkStreamReader(Options{}) {}
  explicit ChunkStreamReader(Options options);

  // The next event; what it consumed is cut from the front of `input`. Call until NeedMore.
  Result<Event> next(ByteSpan& input);

  // Whether the stream may end here: corrupt inside a header or a payload.
  Result<> finish() const;

 private:
  enum class State : std::uint8_t { header, payload, failed };
  Result<Event> next_in_header(ByteSpan& input);
  Result<Event> next_in_payload(ByteSpan& input);
  std::unexpected<Error> fail_for_good(Error error);
  std::uint64_t payload_bytes_left() const { return payload_bytes_ - payload_read_; }

  Options options_;
  State state_ = State::header;
  Bytes staging_;  // a header that is not complete yet
  std::uint64_t payload_bytes_ = 0;
  std::uint64_t payload_read_ = 0;
  std::optional<Error> error_;
};

// Header and payload of the one chunk that `body` claims to be. Whether it is one is find_fault()'s
// question. Copies no payload.
Result<Chunk> split_chunk(Buffer body);

// Collects one verified chunk from a stream: buffer from `Buffer::create`, filled in place.
// Gives nothing while the input ends before the chunk does.
class ChunkAssembler {
 public:
  ChunkAssembler(ExpectedChunk expected, ChunkStreamReader::Options options)
      : expected_(std::move(expected)), reader_(options) {}
  // What the chunk consumed is cut from `input`; ready for the next chunk afterwards.
  Result<std::optional<Chunk>> add(ByteSpan& input);
  Result<> finish() const { return reader_.finish(); }

 private:
  ExpectedChunk expected_;
  ChunkStreamReader reader_;
  Chunk chunk_;
};

}  // namespace hearth::kv
