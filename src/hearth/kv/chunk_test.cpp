#include "hearth/kv/chunk.h"

#include <functional>
#include <utility>

#include "hearth/kv/test_support.h"

namespace hearth::kv {
namespace {

TEST(MakeChunk, NamesTheChunkByPrefixAndTokensAndDigestsItOnce) {
  const Chunk chunk = test_chunk({.tokens = {7, 8}, .payload_bytes = 50});
  EXPECT_EQ(chunk.header.key,
            model::next_key(model::root_key(test_layout()), chunk.header.tokens));
  EXPECT_EQ(chunk.header.range, (TokenRange{0, 2}));
  EXPECT_EQ(chunk.header.payload_bytes, 50u);
  EXPECT_EQ(chunk.header.payload_digest, xxh3_128(chunk.payload.span()));
  EXPECT_TRUE(verify_chunk(chunk.header, chunk.payload.span(),
                           {.layout = test_layout(), .key = chunk.header.key}));
}

TEST(MakeChunk, KeepsTheBufferItWasGiven) {
  Buffer payload = test_payload(1, 8 << 20);
  const std::byte* const bytes = payload.data();
  ChunkOrigin origin{test_layout(), model::root_key(test_layout()), 0, {1}, {}};
  const Chunk chunk = make_chunk(std::move(origin), std::move(payload)).value();
  EXPECT_EQ(chunk.payload.data(), bytes);
}

TEST(MakeChunk, RefusesWhatTheFormatCannotHold) {
  const std::string longest(provenance_text_bytes_max, 'x');
  struct Row {
    const char* name;
    std::function<void(ChunkOrigin&)> change;
    bool is_allowed;
  };
  const Row rows[] = {
      {"no tokens", [](ChunkOrigin& o) { o.tokens.clear(); }, false},
      {"most tokens", [](ChunkOrigin& o) { o.tokens.resize(chunk_tokens_max); }, true},
      {"a token more", [](ChunkOrigin& o) { o.tokens.resize(chunk_tokens_max + 1); }, false},
      {"position overflow", [](ChunkOrigin& o) { o.begin = UINT32_MAX; }, false},
      {"longest name", [&](ChunkOrigin& o) { o.provenance.producer = longest; }, true},
      {"longer name", [&](ChunkOrigin& o) { o.provenance.producer = longest + "x"; }, false},
      {"longer build", [&](ChunkOrigin& o) { o.provenance.engine_build = longest + "x"; }, false},
      {"line break", [](ChunkOrigin& o) { o.provenance.backend = "CPU\n"; }, false},
      {"not UTF-8", [](ChunkOrigin& o) { o.provenance.backend = "\xff"; }, false},
      {"umlaut", [](ChunkOrigin& o) { o.provenance.producer = "k\xc3\xbc" "che"; }, true},
  };
  for (const Row& row : rows) {
    ChunkOrigin origin{test_layout(), model::root_key(test_layout()), 0, {1}, {}};
    row.change(origin);
    const auto chunk = make_chunk(std::move(origin), test_payload(1, 10));
    EXPECT_EQ(chunk.has_value(), row.is_allowed) << row.name;
    if (chunk) {
      EXPECT_EQ(parse_header(encode_header(chunk->header)).value(), chunk->header) << row.name;
    } else {
      EXPECT_EQ(chunk.error().code, Code::invalid_argument) << row.name;
    }
  }
}

TEST(FindFault, GivesEachWrongChunkItsOwnReason) {
  const TestChain chain = test_chain(1, 30, 10);
  const Chunk& good = *chain.chunks[1];
  const ExpectedChunk expected{.layout = chain.layout, .key = good.header.key};
  struct Row {
    const char* name;
    std::function<void(ChunkHeader&, Bytes&)> change;
    std::optional<ChunkFault> fault;
  };
  const Row rows[] = {
      {"untouched", [](ChunkHeader&, Bytes&) {}, {}},
      {"foreign layout", [](ChunkHeader& h, Bytes&) { h.layout = test_layout("other"); },
       ChunkFault::foreign_layout},
      {"forged tokens", [](ChunkHeader& h, Bytes&) { ++h.tokens[3]; }, ChunkFault::forged_key},
      {"forged parent",
       [&](ChunkHeader& h, Bytes&) { h.parent = chain.chunks[1]->header.key; },
       ChunkFault::forged_key},
      {"forged position", [](ChunkHeader& h, Bytes&) { h.range = {0, 10}; },
       ChunkFault::forged_key},
      {"fewer tokens than the range", [](ChunkHeader& h, Bytes&) { h.tokens.pop_back(); },
       ChunkFault::forged_key},
      {"the next chunk in its place",
       [&](ChunkHeader& h, Bytes&) { h = chain.chunks[2]->header; }, ChunkFault::wrong_key},
      {"truncated", [](ChunkHeader&, Bytes& p) { p.pop_back(); }, ChunkFault::payload_size},
      {"padded", [](ChunkHeader&, Bytes& p) { p.push_back({}); }, ChunkFault::payload_size},
      {"a flipped bit", [](ChunkHeader&, Bytes& p) { p[50] ^= std::byte{4}; },
       ChunkFault::payload_digest},
      {"digest of other bytes", [](ChunkHeader& h, Bytes&) { ++h.payload_digest.high; },
       ChunkFault::payload_digest},
  };
  for (const Row& row : rows) {
    ChunkHeader header = good.header;
    Bytes payload(good.payload.data(), good.payload.data() + good.payload.size());
    row.change(header, payload);
    EXPECT_EQ(find_fault(header, payload, expected), row.fault) << row.name;
    const auto verified = verify_chunk(header, payload, expected);
    EXPECT_EQ(verified.has_value(), !row.fault.has_value()) << row.name;
    if (!verified) {
      EXPECT_FALSE(verified.error().message.empty()) << row.name;
    }
  }
}

TEST(FindFault, ChecksTheFirstChunkAgainstTheLayoutItself) {
  // Same tokens and position, but hung on another layout's root.
  const Chunk foreign = test_chunk({.layout = test_layout("other")});
  ChunkHeader header = foreign.header;
  header.layout = test_layout();
  EXPECT_EQ(find_header_fault(header, {}), ChunkFault::forged_key);
}

TEST(ChunkBytes, EveryFlippedByteOfAnEncodedChunkIsFound) {
  const Chunk chunk = test_chunk({.payload_bytes = 70});
  const Bytes good = encode_chunk(chunk);
  const ExpectedChunk expected{.layout = test_layout(), .key = chunk.header.key};
  for (std::size_t i = 0; i < good.size(); ++i) {
    Bytes bad = good;
    bad[i] ^= std::byte{0x10};
    const auto header = parse_header(bad);
    if (!header) continue;
    EXPECT_GE(i, header_bytes(chunk.header)) << "header byte " << i << " is not covered";
    const ByteSpan payload = ByteSpan(bad).subspan(header_bytes(*header));
    EXPECT_EQ(find_fault(*header, payload, expected), ChunkFault::payload_digest) << i;
  }
}

}  // namespace
}  // namespace hearth::kv
