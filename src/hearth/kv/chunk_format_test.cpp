// docs/chunk_format.md against the code, and what a reader refuses.
#include <fmt/format.h>

#include <functional>

#include "hearth/kv/test_support.h"

namespace hearth::kv {
namespace {

// The chunk of the worked example.
Chunk example_chunk() {
  ChunkOrigin origin;
  origin.layout = test_layout("example layout");
  origin.parent = model::root_key(origin.layout);
  origin.tokens = {1, 2, 163'000};
  origin.provenance = {"b11669", "CPU", "studio", 512};
  const std::string_view text = "KV bytes";
  Buffer payload = Buffer::create(text.size()).value();
  std::memcpy(payload.data(), text.data(), text.size());
  return make_chunk(std::move(origin), std::move(payload)).value();
}

std::string hex_dump(ByteSpan bytes) {
  std::string out;
  for (std::size_t at = 0; at < bytes.size(); at += 16) {
    out += fmt::format("{:04x} ", at);
    for (const std::byte b : bytes.subspan(at, std::min<std::size_t>(16, bytes.size() - at))) {
      out += " " + to_hex({&b, 1});
    }
    out += "\n";
  }
  return out;
}

// The lines of the block that starts with ```hex.
std::string documented_example() {
  const std::string page =
      read_text_file(std::string(HEARTH_SOURCE_DIR) + "/docs/chunk_format.md", 1 << 20).value();
  const std::string_view fence = "```hex\n";
  const auto begin = page.find(fence);
  const auto end = page.find("```", begin + fence.size());
  if (begin == page.npos || end == page.npos) return {};
  return page.substr(begin + fence.size(), end - begin - fence.size());
}

Bytes bytes_of_dump(std::string_view dump) {
  std::string digits;
  while (!dump.empty()) {
    const std::string_view line = dump.substr(0, dump.find('\n'));
    dump.remove_prefix(std::min(dump.size(), line.size() + 1));
    for (const char c : line.substr(std::min<std::size_t>(line.size(), 4))) {
      if (c != ' ') digits.push_back(c);
    }
  }
  return from_hex(digits).value();
}

TEST(ChunkFormat, TheDocumentedExampleReadsBack) {
  const Bytes bytes = bytes_of_dump(documented_example());
  const auto header = parse_header(bytes);
  ASSERT_TRUE(header) << header.error().message << "\nthe page should show:\n"
                      << hex_dump(encode_chunk(example_chunk()));
  EXPECT_EQ(*header, example_chunk().header);
  const ByteSpan payload = ByteSpan(bytes).subspan(header_bytes(*header));
  EXPECT_EQ(as_text(payload), "KV bytes");
  EXPECT_TRUE(verify_chunk(*header, payload, {.layout = test_layout("example layout"), .key = {}}));
}

TEST(ChunkFormat, TheEncoderWritesTheDocumentedExample) {
  EXPECT_EQ(hex_dump(encode_chunk(example_chunk())), documented_example());
}

TEST(ChunkFormat, HeaderLengthIsAlignedAndBounded) {
  for (const std::size_t count : {1u, 2u, 100u, 1'024u, 16'384u}) {
    const Chunk chunk = test_chunk({.tokens = std::vector<Token>(count, 5)});
    const Bytes header = encode_header(chunk.header);
    EXPECT_EQ(header.size(), header_bytes(chunk.header));
    EXPECT_EQ(header.size() % header_alignment_bytes, 0u);
    EXPECT_LE(header.size(), header_bytes_max);
    EXPECT_EQ(header_bytes_needed(header).value(), header.size());
  }
}

TEST(ChunkFormat, EveryTruncationOfAHeaderIsRefused) {
  const Bytes header = encode_header(test_chunk().header);
  for (std::size_t length = 0; length < header.size(); ++length) {
    const auto parsed = parse_header(ByteSpan(header).first(length));
    ASSERT_FALSE(parsed) << length;
    EXPECT_EQ(parsed.error().code, Code::corrupt) << length;
    const auto needed = header_bytes_needed(ByteSpan(header).first(length));
    ASSERT_TRUE(needed) << length;
    EXPECT_EQ(*needed, length < header_probe_bytes ? header_probe_bytes : header.size());
  }
}

template <class T>
std::function<void(Bytes&)> put_number(std::size_t offset, T value) {
  return [=](Bytes& bytes) { std::memcpy(bytes.data() + offset, &value, sizeof(value)); };
}

// Each with a correct checksum, as a careful forger would send it.
TEST(ChunkFormat, RefusesWhatBreaksTheRules) {
  struct Row {
    const char* name;
    std::function<void(Bytes&)> change;
    Code code;
  };
  const Row rows[] = {
      {"other magic", put_number<std::uint8_t>(1, 'h'), Code::corrupt},
      {"no version", put_number<std::uint16_t>(8, 0), Code::corrupt},
      {"newer version", put_number<std::uint16_t>(8, 2), Code::unsupported},
      {"sealed", put_number<std::uint16_t>(10, 1), Code::unsupported},
      {"unknown flag", put_number<std::uint16_t>(10, 0x8000), Code::unsupported},
      {"header of no bytes", put_number<std::uint32_t>(12, 0), Code::corrupt},
      {"header of odd length", put_number<std::uint32_t>(12, 191), Code::corrupt},
      {"header of 4 GiB", put_number<std::uint32_t>(12, 0xffffffc0), Code::corrupt},
      {"payload beyond the limit", put_number<std::uint64_t>(16, chunk_payload_bytes_max + 1),
       Code::corrupt},
      {"payload of 2^64 bytes", put_number<std::uint64_t>(16, UINT64_MAX), Code::corrupt},
      {"empty range", put_number<std::uint32_t>(28, 0), Code::corrupt},
      {"reversed range", put_number<std::uint32_t>(24, 9), Code::corrupt},
      {"range of 2^32 tokens", put_number<std::uint32_t>(28, UINT32_MAX), Code::corrupt},
      {"more tokens than there are", put_number<std::uint32_t>(28, 4'000), Code::corrupt},
      {"fewer tokens than there are", put_number<std::uint32_t>(28, 1), Code::corrupt},
      {"long text", put_number<std::uint8_t>(148, 255), Code::corrupt},
      {"reserved byte", put_number<std::uint8_t>(151, 1), Code::corrupt},
      {"control character", put_number<std::uint8_t>(152 + 12, '\n'), Code::corrupt},
      {"padding not zero", put_number<std::uint8_t>(256 - 17, 1), Code::corrupt},
  };
  for (const Row& row : rows) {
    Bytes header = encode_header(test_chunk({.tokens = {1, 2, 3}}).header);
    ASSERT_EQ(header.size(), 256u);
    row.change(header);
    fix_checksum(header);
    const auto parsed = parse_header(header);
    ASSERT_FALSE(parsed) << row.name;
    EXPECT_EQ(parsed.error().code, row.code) << row.name << ": " << parsed.error().message;
  }
}

TEST(ChunkFormat, HasOneWayToWriteAHeader) {
  // 64 more zeros of padding, and a length and checksum that agree with them.
  Bytes header = encode_header(test_chunk().header);
  header.insert(header.end() - sizeof(Checksum128), header_alignment_bytes, std::byte{0});
  put_number<std::uint32_t>(12, static_cast<std::uint32_t>(header.size()))(header);
  fix_checksum(header);
  EXPECT_EQ(parse_header(header).error().code, Code::corrupt);
}

TEST(ChunkFormat, SaysThatASealedChunkIsSealed) {
  Bytes header = encode_header(test_chunk().header);
  put_number<std::uint16_t>(10, 1)(header);
  EXPECT_NE(header_bytes_needed(ByteSpan(header).first(12)).error().message.find("sealed"),
            std::string::npos);
}

}  // namespace
}  // namespace hearth::kv
