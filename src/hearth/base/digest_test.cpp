#include "hearth/base/digest.h"

#include <gtest/gtest.h>

#include "hearth/base/sha256.h"

namespace hearth {
namespace {

// Known answer: BLAKE2b with a 32-byte output of the empty string.
TEST(Blake2b, KnownAnswer) {
  EXPECT_EQ(blake2b({}).hex(), "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8");
}

TEST(Blake2b, SizedUpdatesDoNotRunTogether) {
  EXPECT_NE(Blake2b().update_sized("ab").update_sized("c").finish(),
            Blake2b().update_sized("a").update_sized("bc").finish());
}

// FIPS 180-4's example.
TEST(Sha256, KnownAnswer) {
  EXPECT_EQ(sha256(as_byte_span("abc")).hex(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(Sha256().update(as_byte_span("a")).update(as_byte_span("bc")).finish(), sha256(as_byte_span("abc")));
}

TEST(Digest256, ParsesItsOwnText) {
  const Digest256 digest = blake2b(as_byte_span("x"));
  EXPECT_EQ(Digest256::parse(digest.hex()).value(), digest);
  EXPECT_FALSE(Digest256::parse("00"));
}

// Known answer: XXH3-128 of the empty input with seed 0.
TEST(Xxh3, KnownAnswer) {
  const Checksum128 sum = xxh3_128({});
  EXPECT_EQ(sum.high, 0x99aa06d3014798d8u);
  EXPECT_EQ(sum.low, 0x6001c324468d497fu);
}

TEST(Xxh3, SeesOneFlippedBit) {
  Bytes bytes(100'000, std::byte{7});
  const Checksum128 before = xxh3_128(bytes);
  bytes[77'777] ^= std::byte{1};
  EXPECT_NE(xxh3_128(bytes), before);
}

TEST(Xxh3, DoesNotDependOnThePieces) {
  Bytes bytes(10'000);
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(i * 131);
  for (const std::size_t piece : {std::size_t{1}, std::size_t{240}, std::size_t{257}, std::size_t{9'999}}) {
    Xxh3 digest;
    for (std::size_t begin = 0; begin < bytes.size(); begin += piece) {
      digest.update(ByteSpan(bytes).subspan(begin, std::min(piece, bytes.size() - begin)));
    }
    EXPECT_EQ(digest.finish(), xxh3_128(bytes)) << piece;
  }
}

}  // namespace
}  // namespace hearth
