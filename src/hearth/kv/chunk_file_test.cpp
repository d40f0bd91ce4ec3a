#include "hearth/kv/chunk_file.h"

#include "hearth/kv/test_support.h"

namespace hearth::kv {
namespace {

// What both ways of reading say; they must agree.
Result<Chunk> read_both_ways(const std::filesystem::path& path, const ExpectedChunk& expected) {
  auto read = read_chunk_file(path, expected);
  const auto mapped = map_chunk_file(path, expected);
  EXPECT_EQ(read.has_value(), mapped.has_value());
  if (!read && !mapped) {
    EXPECT_EQ(read.error().message, mapped.error().message);
  }
  if (read && mapped) {
    EXPECT_EQ(read->header, mapped->header());
    EXPECT_TRUE(std::ranges::equal(std::as_const(read->payload).span(), mapped->payload()));
  }
  return read;
}

class ChunkFile : public ::testing::Test {
 protected:
  TemporaryDirectory directory_ = TemporaryDirectory::create("hearth-kv-test").value();
  std::filesystem::path path_ = directory_.path() / "a.kv";
};

TEST_F(ChunkFile, ReadsBackWhatWasWritten) {
  const Chunk chunk = test_chunk({.tokens = test_tokens(1, 3'000), .payload_bytes = 100'000});
  ASSERT_TRUE(write_chunk_file(*real_file_system(), path_, chunk, Durability::survives_process));
  EXPECT_EQ(read_chunk_header(path_).value(), chunk.header);
  const Chunk read =
      read_both_ways(path_, {.layout = test_layout(), .key = chunk.header.key}).value();
  EXPECT_EQ(read.header, chunk.header);
  EXPECT_TRUE(same_bytes(read.payload, chunk.payload));
  EXPECT_EQ(std::filesystem::file_size(path_), chunk_bytes(chunk.header));
}

TEST_F(ChunkFile, IsRefusedWhenTornAtAnyLength) {
  const Bytes whole = encode_chunk(test_chunk({.payload_bytes = 300}));
  for (std::size_t length = 0; length < whole.size(); ++length) {
    write_raw(path_, ByteSpan(whole).first(length));
    EXPECT_EQ(read_chunk_header(path_).error().code, Code::corrupt) << length;
    EXPECT_EQ(read_both_ways(path_, {}).error().code, Code::corrupt) << length;
  }
}

TEST_F(ChunkFile, IsRefusedWhenItsTailIsZeros) {
  // What a power cut leaves when the length was recorded and the data were not.
  const Bytes whole = encode_chunk(test_chunk({.payload_bytes = 300}));
  for (std::size_t kept = 0; kept < whole.size(); ++kept) {
    Bytes torn = whole;
    std::fill(torn.begin() + static_cast<std::ptrdiff_t>(kept), torn.end(), std::byte{0});
    if (torn == whole) continue;
    write_raw(path_, torn);
    EXPECT_EQ(read_both_ways(path_, {}).error().code, Code::corrupt) << kept;
  }
}

TEST_F(ChunkFile, IsRefusedWhenLongerOrOfAnotherKey) {
  const Chunk chunk = test_chunk();
  Bytes bytes = encode_chunk(chunk);
  write_raw(path_, bytes);
  EXPECT_EQ(read_both_ways(path_, {.layout = {}, .key = ChunkKey{}}).error().code, Code::corrupt);
  bytes.push_back({});
  write_raw(path_, bytes);
  EXPECT_EQ(read_both_ways(path_, {}).error().code, Code::corrupt);
  EXPECT_EQ(read_both_ways(directory_.path() / "b.kv", {}).error().code, Code::not_found);
}

}  // namespace
}  // namespace hearth::kv
