#include "hearth/model/gguf.h"

#include <gtest/gtest.h>

#include <functional>

#include "support/gguf_writer.h"

namespace hearth::model {
namespace {

using hearth::testing::GgufWriter;

constexpr std::uint32_t f32 = 0;
constexpr std::uint32_t q8_0 = 8;

GgufWriter small() {
  GgufWriter writer;
  writer.text("general.architecture", "llama").u32("llama.block_count", 2);
  writer.tensor("token_embd.weight", q8_0, {64, 10}).tensor("output_norm.weight", f32, {64});
  return writer;
}

Result<Gguf> read(const Bytes& bytes) {
  MemorySource source(bytes);
  return read_gguf(source, "test.gguf");
}

template <class T>
void put(Bytes& bytes, std::size_t offset, T value) {
  std::memcpy(bytes.data() + offset, &value, sizeof(T));
}

TEST(Gguf, ReadsWhatWasWritten) {
  for (const std::uint32_t version : {2U, 3U}) {
    GgufWriter writer(version);
    writer.text("a.text", "hello").number<std::int16_t>("b.i16", GgufType::i16, -7);
    writer.number<std::uint64_t>("c.u64", GgufType::u64, UINT64_MAX).f32("d.f32", 0.5F);
    writer.number<std::uint8_t>("e.bool", GgufType::boolean, 1);
    writer.texts("f.texts", {"x", "", "yz"}).numbers<std::int32_t>("g.i32s", GgufType::i32, {1, -2, 3});
    writer.tensor("w", q8_0, {64, 10, 2}).tensor("n", f32, {3});
    const auto gguf = read(writer.whole());
    ASSERT_TRUE(gguf.has_value()) << gguf.error().message;
    EXPECT_EQ(gguf->version, version);
    EXPECT_EQ(*find_value(gguf->metadata, "a.text")->as_string(), "hello");
    EXPECT_EQ(find_value(gguf->metadata, "b.i16")->as_number(), -7.0);
    EXPECT_EQ(find_value(gguf->metadata, "b.i16")->as_unsigned(), std::nullopt);
    EXPECT_EQ(find_value(gguf->metadata, "c.u64")->as_unsigned(), UINT64_MAX);
    EXPECT_EQ(find_value(gguf->metadata, "d.f32")->as_number(), 0.5);
    EXPECT_EQ(find_value(gguf->metadata, "e.bool")->as_unsigned(), 1U);
    EXPECT_EQ(find_value(gguf->metadata, "f.texts")->as_array()->strings[2], "yz");
    EXPECT_EQ(find_value(gguf->metadata, "g.i32s")->unsigned_at(2), 3U);
    EXPECT_EQ(find_value(gguf->metadata, "g.i32s")->unsigned_at(1), std::nullopt);
    EXPECT_EQ(find_value(gguf->metadata, "g.i32s")->unsigned_at(3), std::nullopt);
    ASSERT_EQ(gguf->tensors.size(), 2U);
    EXPECT_EQ(gguf->tensors[0].bytes, 2U * 10 * 2 * 34);
    EXPECT_EQ(gguf->tensors[0].values(), 64U * 20);
    EXPECT_EQ(gguf->tensors[1].offset, 1'376U);  // 1,360 padded to 32
    EXPECT_EQ(gguf->data_offset % 32, 0U);
  }
}

TEST(Gguf, AlignmentIsTheFilesOwn) {
  GgufWriter writer;
  writer.alignment(128).tensor("a", f32, {1}).tensor("b", f32, {1});
  const auto gguf = read(writer.whole());
  ASSERT_TRUE(gguf.has_value()) << gguf.error().message;
  EXPECT_EQ(gguf->data_offset % 128, 0U);
  EXPECT_EQ(gguf->tensors[1].offset, 128U);
}

TEST(Gguf, EveryCutIsTruncationAndNothingWorse) {
  const Bytes whole = small().whole();
  const std::size_t end = whole.size() - 32 * 0;
  for (std::size_t size = 0; size < end; ++size) {
    const auto gguf = read(Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)));
    // The last tensor is 256 bytes long, so nothing behind it is padding.
    ASSERT_FALSE(gguf.has_value()) << size;
    EXPECT_EQ(gguf.error().code, Code::corrupt) << size << ": " << gguf.error().message;
  }
}

TEST(Gguf, PaddingMayFollowTheLastTensorAndNoMore) {
  GgufWriter writer;
  writer.tensor("a", f32, {3});
  Bytes bytes = writer.whole();  // 12 bytes and 20 of padding
  EXPECT_TRUE(read(bytes).has_value());
  Bytes bare(bytes.begin(), bytes.end() - 20);
  EXPECT_TRUE(read(bare).has_value());
  bytes.push_back(std::byte{0});
  ASSERT_FALSE(read(bytes).has_value());
  EXPECT_EQ(read(bytes).error().code, Code::corrupt);
}

TEST(Gguf, AFileOfMetadataAloneIsFine) {
  GgufWriter writer;
  writer.text("general.architecture", "llama");
  EXPECT_TRUE(read(writer.whole()).has_value());
}

struct DamageCase {
  const char* name;
  Code code;
  const char* says;
  std::function<Bytes()> make;
};

// Offsets into small(): magic 0, version 4, tensor count 8, metadata count 16, first key at 24.
const DamageCase damages[] = {
    {"magic", Code::corrupt, "50415231",
     [] { Bytes b = small().whole(); put(b, 0, std::uint32_t{0x31524150}); return b; }},
    {"version", Code::unsupported, "version 7",
     [] { Bytes b = small().whole(); put(b, 4, std::uint32_t{7}); return b; }},
    {"version 0", Code::unsupported, "version 0",
     [] { Bytes b = small().whole(); put(b, 4, std::uint32_t{0}); return b; }},
    {"big endian", Code::unsupported, "big-endian",
     [] { Bytes b = small().whole(); put(b, 4, std::uint32_t{0x03000000}); return b; }},
    {"tensor count", Code::corrupt, "offset 8",
     [] { Bytes b = small().whole(); put(b, 8, UINT64_MAX); return b; }},
    {"metadata count", Code::corrupt, "offset 16",
     [] { Bytes b = small().whole(); put(b, 16, std::uint64_t{1'000'000}); return b; }},
    {"key length", Code::corrupt, "offset 24",
     [] { Bytes b = small().whole(); put(b, 24, UINT64_MAX / 2); return b; }},
    {"value type", Code::corrupt, "value type 99",
     [] { Bytes b = small().whole(); put(b, 24 + 8 + 20, std::uint32_t{99}); return b; }},
    {"huge array", Code::corrupt, "items",
     [] {
       GgufWriter w;
       w.numbers<std::uint8_t>("k", GgufType::u8, {1});
       Bytes b = w.whole();
       put(b, 24 + 8 + 1 + 4 + 4, UINT64_MAX);
       return b;
     }},
    {"many strings", Code::corrupt, "strings",
     [] {
       GgufWriter w;
       w.texts("k", {"a"});
       Bytes b = w.whole();
       put(b, 24 + 8 + 1 + 4 + 4, std::uint64_t{1'000'000});
       return b;
     }},
    {"nested array", Code::unsupported, "arrays of arrays",
     [] {
       GgufWriter w;
       w.numbers<std::uint8_t>("k", GgufType::array, {1});
       return w.whole();
     }},
    {"key twice", Code::corrupt, "twice",
     [] { GgufWriter w; w.u32("k", 1).u32("k", 1); return w.whole(); }},
    {"tensor twice", Code::corrupt, "twice",
     [] { GgufWriter w; w.tensor("t", f32, {1}).tensor("t", f32, {1}); return w.whole(); }},
    {"five dimensions", Code::corrupt, "5 dimensions",
     [] { GgufWriter w; w.tensor("t", f32, {1, 1, 1, 1, 1}); return w.whole(); }},
    {"empty dimension", Code::corrupt, "shape",
     [] { GgufWriter w; w.tensor("t", f32, {0}); return w.whole(); }},
    {"overflowing shape", Code::corrupt, "shape",
     [] {
       GgufWriter w;
       w.tensor("t", f32, {UINT64_MAX / 2, 4, 8});
       return w.header_only();
     }},
    {"broken block", Code::corrupt, "32 values per block",
     [] { GgufWriter w; w.tensor("t", q8_0, {48, 2}); return w.whole(); }},
    {"withdrawn type", Code::unsupported, "ggml type 31",
     [] { GgufWriter w; w.tensor("t", 31, {32}); return w.whole(); }},
    {"alignment", Code::corrupt, "general.alignment",
     [] { GgufWriter w; w.u32("general.alignment", 24); return w.whole(); }},
};

TEST(Gguf, DamageIsNamed) {
  for (const DamageCase& c : damages) {
    const auto gguf = read(c.make());
    ASSERT_FALSE(gguf.has_value()) << c.name;
    EXPECT_EQ(gguf.error().code, c.code) << c.name << ": " << gguf.error().message;
    EXPECT_NE(gguf.error().message.find(c.says), std::string::npos) << gguf.error().message;
    EXPECT_NE(gguf.error().message.find("test.gguf: offset"), std::string::npos)
        << gguf.error().message;
  }
}

TEST(Gguf, OverlappingAndMisalignedTensorsAreRefused) {
  GgufWriter writer;
  writer.tensor("a", f32, {16}).tensor("b", f32, {16});
  const Bytes whole = writer.whole();
  // The header is 24 + 2 x (8+1+4+8+4+8) = 90 bytes: b's offset are the last 8 of them.
  for (const std::uint64_t offset : {std::uint64_t{32}, std::uint64_t{65}, std::uint64_t{1} << 40}) {
    Bytes bytes = whole;
    put(bytes, 90 - 8, offset);
    const auto gguf = read(bytes);
    ASSERT_FALSE(gguf.has_value()) << offset;
    EXPECT_EQ(gguf.error().code, Code::corrupt);
  }
}

TEST(Gguf, HeadersLongerThanABlockAreReadInPieces) {
  std::vector<std::string> tokens;
  for (int i = 0; i < 200'000; ++i) tokens.push_back("token number " + std::to_string(i));
  GgufWriter writer;
  writer.texts("tokenizer.ggml.tokens", tokens).tensor("a", f32, {1});
  const auto gguf = read(writer.whole());
  ASSERT_TRUE(gguf.has_value()) << gguf.error().message;
  EXPECT_EQ(find_value(gguf->metadata, "tokenizer.ggml.tokens")->as_array()->strings, tokens);
}

}  // namespace
}  // namespace hearth::model
