#include "hearth/kv/chunk_stream.h"

#include <algorithm>
#include <utility>

#include "hearth/kv/test_support.h"

namespace hearth::kv {
namespace {

struct Collected {
  std::vector<ChunkHeader> headers;
  std::vector<Bytes> payloads;
  std::uint32_t ends = 0;
  bool operator==(const Collected&) const = default;
};

Result<> feed(ChunkStreamReader& reader, ByteSpan input, Collected& out) {
  for (;;) {
    const auto event = TRY(reader.next(input));
    if (std::holds_alternative<ChunkStreamReader::NeedMore>(event)) return {};
    if (const auto* header = std::get_if<ChunkStreamReader::HeaderRead>(&event)) {
      out.headers.push_back(header->header);
      out.payloads.emplace_back();
    } else if (const auto* piece = std::get_if<ChunkStreamReader::PayloadRead>(&event)) {
      EXPECT_EQ(piece->offset, out.payloads.back().size());
      out.payloads.back().insert(out.payloads.back().end(), piece->bytes.begin(),
                                 piece->bytes.end());
    } else {
      ++out.ends;
    }
  }
}

Bytes stream_of(const TestChain& chain) {
  Bytes out;
  for (const SharedChunk& chunk : chain.chunks) {
    const Bytes bytes = encode_chunk(*chunk);
    out.insert(out.end(), bytes.begin(), bytes.end());
  }
  return out;
}

void expect_chain(const Collected& got, const TestChain& chain) {
  ASSERT_EQ(got.ends, chain.chunks.size());
  for (std::size_t i = 0; i < chain.chunks.size(); ++i) {
    EXPECT_EQ(got.headers[i], chain.chunks[i]->header);
    EXPECT_TRUE(verify_chunk(got.headers[i], got.payloads[i], {}));
  }
}

TEST(ChunkStreamReader, ReadsChunksFromPiecesOfAnySize) {
  const TestChain chain = test_chain(1, 25, 10, 90);
  const Bytes stream = stream_of(chain);
  for (std::size_t piece_bytes = 1; piece_bytes <= stream.size(); ++piece_bytes) {
    ChunkStreamReader reader;
    Collected got;
    for (std::size_t at = 0; at < stream.size(); at += piece_bytes) {
      const ByteSpan piece =
          ByteSpan(stream).subspan(at, std::min(piece_bytes, stream.size() - at));
      ASSERT_TRUE(feed(reader, piece, got));
    }
    expect_chain(got, chain);
    EXPECT_TRUE(reader.finish());
  }
}

TEST(ChunkStreamReader, ReadsChunksWithoutPayload) {
  const Chunk chunk = test_chunk({.payload_bytes = 0});
  ChunkStreamReader reader;
  Collected got;
  ASSERT_TRUE(feed(reader, encode_chunk(chunk), got));
  EXPECT_EQ(got.ends, 1u);
  EXPECT_TRUE(verify_chunk(got.headers[0], got.payloads[0], {}));
}

TEST(ChunkStreamReader, AStreamThatEndsInsideAChunkIsNotWhole) {
  const TestChain chain = test_chain(1, 20, 10, 90);
  const Bytes stream = stream_of(chain);
  const std::uint64_t first = chunk_bytes(chain.chunks[0]->header);
  for (std::size_t length = 0; length <= stream.size(); ++length) {
    ChunkStreamReader reader;
    Collected got;
    ASSERT_TRUE(feed(reader, ByteSpan(stream).first(length), got));
    const bool is_boundary = length == 0 || length == first || length == stream.size();
    EXPECT_EQ(reader.finish().has_value(), is_boundary) << length;
  }
}

TEST(ChunkStreamReader, FailsForGoodOnTheFirstBadByte) {
  Bytes stream = stream_of(test_chain(1, 20, 10));
  stream[3] = std::byte{0};
  ChunkStreamReader reader;
  ByteSpan first = ByteSpan(stream).first(4);
  ASSERT_FALSE(reader.next(first)) << "what cannot be a chunk is refused without waiting for more";
  ByteSpan rest = ByteSpan(stream).subspan(4);
  EXPECT_EQ(reader.next(rest).error().code, Code::corrupt);
  EXPECT_FALSE(reader.finish());
}

TEST(ChunkStreamReader, RefusesAPayloadBeyondTheReceiversLimit) {
  const Bytes bytes = encode_chunk(test_chunk({.payload_bytes = 101}));
  ChunkStreamReader reader({.payload_bytes_max = 100});
  ByteSpan input = bytes;
  EXPECT_EQ(reader.next(input).error().code, Code::resource_exhausted);
}

TEST(ChunkAssembler, GivesWholeVerifiedChunks) {
  const TestChain chain = test_chain(5, 25, 10, 300);
  const Bytes stream = stream_of(chain);
  Random random(7);
  ChunkAssembler assembler({.layout = chain.layout, .key = {}}, {});
  std::vector<Chunk> got;
  ByteSpan rest = stream;
  while (!rest.empty()) {
    ByteSpan piece = rest.first(std::min<std::size_t>(rest.size(), 1 + random.below(200)));
    rest = rest.subspan(piece.size());
    while (!piece.empty()) {
      auto chunk = assembler.add(piece);
      ASSERT_TRUE(chunk);
      if (*chunk) got.push_back(*std::move(*chunk));
    }
  }
  ByteSpan none;
  auto last = assembler.add(none);
  ASSERT_TRUE(last);
  if (*last) got.push_back(*std::move(*last));
  ASSERT_EQ(got.size(), chain.chunks.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    EXPECT_TRUE(same_bytes(got[i].payload, chain.chunks[i]->payload));
  }
}

TEST(ChunkAssembler, RefusesAForeignChunkBeforeItsPayloadComes) {
  const Chunk chunk = test_chunk({.layout = test_layout("other"), .payload_bytes = 1'000});
  const Bytes header = encode_header(chunk.header);
  ChunkAssembler assembler({.layout = test_layout(), .key = {}}, {});
  ByteSpan input = header;
  EXPECT_EQ(assembler.add(input).error().code, Code::invalid_argument);
}

Buffer buffer_of(ByteSpan bytes) {
  Buffer buffer = Buffer::create(bytes.size()).value();
  std::ranges::copy(bytes, buffer.data());
  return buffer;
}

TEST(SplitChunk, ParesTheHeaderOffAndLeavesTheRestToBeProved) {
  const Chunk chunk = test_chunk({.layout = test_layout(), .payload_bytes = 1'000});
  const Bytes bytes = encode_chunk(chunk);
  const auto split = split_chunk(buffer_of(bytes));
  ASSERT_TRUE(split) << split.error().message;
  EXPECT_EQ(split->header, chunk.header);
  EXPECT_TRUE(same_bytes(split->payload, chunk.payload));
  const std::size_t header = header_bytes(chunk.header);
  for (std::size_t size = 0; size < header; ++size) {
    EXPECT_EQ(split_chunk(buffer_of(ByteSpan(bytes).first(size))).error().code, Code::corrupt) << size;
  }
  const auto fault_of = [](const Bytes& body) {
    const auto other = split_chunk(buffer_of(body));
    return other ? find_fault(other->header, other->payload.span(), {}) : std::nullopt;
  };
  Bytes other = bytes;
  other.push_back(std::byte{0});
  EXPECT_EQ(fault_of(other), ChunkFault::payload_size);
  other.resize(header);
  EXPECT_EQ(fault_of(other), ChunkFault::payload_size);
  other = bytes;
  other.back() ^= std::byte{1};
  EXPECT_EQ(fault_of(other), ChunkFault::payload_digest);
}

}  // namespace
}  // namespace hearth::kv
