#include "hearth/base/buffer_pool.h"
#include "hearth/base/bytes.h"

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "hearth/base/process_memory.h"

namespace hearth {
namespace {

TEST(ByteReader, ReadsWhatAWriterWrote) {
  ByteWriter writer;
  writer.write<std::uint32_t>(0xdeadbeef);
  writer.write<double>(0.5);
  writer.write_bytes(as_byte_span("tail"));
  ByteReader reader(writer.bytes());
  EXPECT_EQ(reader.read<std::uint32_t>("number").value(), 0xdeadbeef);
  EXPECT_EQ(reader.read<double>("fraction").value(), 0.5);
  EXPECT_EQ(as_text(reader.read_bytes(4, "text").value()), "tail");
  EXPECT_EQ(reader.remaining(), 0u);
}

TEST(ByteReader, RefusesToReadBeyondTheEnd) {
  const Bytes bytes(3);
  ByteReader reader(bytes, 100);
  const auto result = reader.read<std::uint32_t>("count");
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Code::corrupt);
  EXPECT_NE(result.error().message.find("100"), std::string::npos);
  EXPECT_FALSE(reader.read_bytes(UINT64_MAX, "huge"));
}

TEST(Hex, RoundTripsAndRefusesOthers) {
  const Bytes bytes = {std::byte{0}, std::byte{0xff}, std::byte{0x5a}};
  EXPECT_EQ(to_hex(bytes), "00ff5a");
  EXPECT_EQ(from_hex("00ff5a").value(), bytes);
  EXPECT_FALSE(from_hex("0"));
  EXPECT_FALSE(from_hex("0G"));
}

TEST(Buffer, HoldsAnySize) {
  constexpr std::size_t mib = 1u << 20;
  for (const std::size_t bytes : {std::size_t{1}, mib / 2 - 1, mib / 2, 4 * mib - 1, 4 * mib, 4 * mib + 1, 7 * mib + 123}) {
    Buffer buffer = Buffer::create(bytes).value();
    ASSERT_EQ(buffer.size(), bytes);
    buffer.span().back() = std::byte{2};
    buffer.span().front() = std::byte{1};
    Buffer moved = std::move(buffer);
    moved.shrink(1);
    EXPECT_EQ(moved.span().front(), std::byte{1});
    moved = Buffer::create(5).value();
    EXPECT_EQ(moved.size(), 5u);
  }
  EXPECT_EQ(Buffer::create(SIZE_MAX).error().code, Code::resource_exhausted);
  EXPECT_EQ(Buffer::create(SIZE_MAX / 2).error().code, Code::resource_exhausted);
}

// malloc would give them from one stretch of memory, whose last page the one that stays holds in place.
TEST(Buffer, OfAChunksSizeGoesBackToTheSystemWhileAnotherStays) {
  constexpr std::size_t bytes = 900'000, count = 200;
  const auto filled = [] {
    Buffer buffer = Buffer::create(bytes).value();
    std::memset(buffer.data(), 1, bytes);
    return buffer;
  };
  filled();  // malloc learns from the first that is freed
  const std::uint64_t before = resident_bytes();
  std::vector<Buffer> buffers;
  for (std::size_t i = 0; i < count; ++i) buffers.push_back(filled());
  EXPECT_GT(resident_bytes(), before + count * bytes / 2);
  buffers.erase(buffers.begin(), buffers.end() - 1);
  EXPECT_LT(resident_bytes(), before + count * bytes / 4);
}

TEST(Buffer, WithoutItsFrontItHoldsTheRestAndFreesTheWhole) {
  for (const std::size_t bytes : {std::size_t{16}, std::size_t{8} << 20}) {
    Buffer buffer = Buffer::create(bytes).value();
    buffer.data()[bytes - 1] = std::byte{7};
    buffer.drop_front(10);
    Buffer moved = std::move(buffer);
    EXPECT_EQ(moved.size(), bytes - 10);
    EXPECT_EQ(moved.span().back(), std::byte{7});
    moved.drop_front(bytes - 10);
    EXPECT_EQ(moved.size(), 0u);
  }
}

TEST(Buffer, MovesOwnership) {
  Buffer first = Buffer::create(8).value();
  Buffer second = std::move(first);
  EXPECT_EQ(first.size(), 0u);
  EXPECT_EQ(second.size(), 8u);
  second.shrink(3);
  EXPECT_EQ(second.span().size(), 3u);
}

TEST(BufferPool, GivesTheSameMemoryAgain) {
  const auto pool = BufferPool::create();
  Buffer first = pool->take(5u << 20).value();
  const std::byte* memory = first.data();
  Buffer second = std::move(first);  // a move does not give it back
  EXPECT_NE(pool->take(5u << 20).value().data(), memory);
  second = Buffer();
  const Buffer third = pool->take(4u << 20).value();
  EXPECT_EQ(third.data(), memory);
  EXPECT_EQ(third.size(), 4u << 20);
}

TEST(BufferPool, TiesNoLargeBufferUpForASmallBlob) {
  const auto pool = BufferPool::create();
  const std::byte* memory = pool->take(8u << 20).value().data();
  EXPECT_NE(pool->take(100).value().data(), memory);
}

TEST(BufferPool, LivesAsLongAsItsBuffers) {
  auto pool = BufferPool::create();
  const Buffer buffer = pool->take(100).value();
  pool.reset();
  EXPECT_EQ(buffer.size(), 100u);
}

TEST(Buffer, RefusesWhatMemoryCannotHold) {
  const auto result = Buffer::create(std::size_t{1} << 62);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Code::resource_exhausted);
}

}  // namespace
}  // namespace hearth
