#include "hearth/vault/cipher.h"

#include <gtest/gtest.h>

#include "hearth/vault/test_vault.h"

namespace hearth::vault {
namespace {

// draft-irtf-cfrg-xchacha-03, appendix A.3.1.
TEST(Cipher, OpensTheStandardsExample) {
  const auto bytes = [](std::string_view hex) { return from_hex(hex).value(); };
  const Secret key = Secret::copy_of(bytes("808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f")).value();
  const Bytes sealed = bytes(
      "404142434445464748494a4b4c4d4e4f5051525354555657"
      "bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb731c7f1b0b4aa6440bf3a82f4eda7e39ae64c6708c54c216"
      "cb96b72e1213b4522f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff921f9664c97637da9768812f615c68b13"
      "b52ec0875924c1c7987947deafd8780acf49");
  const auto text = decrypt(key, sealed, bytes("50515253c0c1c2c3c4c5c6c7"));
  ASSERT_TRUE(text);
  EXPECT_EQ(as_text(*text),
            "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it.");
}

TEST(Cipher, RefusesEveryChangedBit) {
  const Secret key = Secret::random(key_bytes).value();
  const Bytes sealed = encrypt(key, as_byte_span("text"), as_byte_span("where"));
  ASSERT_EQ(as_text(*decrypt(key, sealed, as_byte_span("where"))), "text");
  for (std::size_t bit = 0; bit < sealed.size() * 8; ++bit) {
    Bytes bad = sealed;
    bad[bit / 8] ^= std::byte{1} << (bit % 8);
    EXPECT_EQ(decrypt(key, bad, as_byte_span("where")).error().code, Code::corrupt);
  }
  EXPECT_FALSE(decrypt(key, sealed, as_byte_span("elsewhere")));
  EXPECT_FALSE(decrypt(Secret::random(key_bytes).value(), sealed, as_byte_span("where")));
  EXPECT_FALSE(decrypt(key, ByteSpan(sealed).first(10), as_byte_span("where")));
}

TEST(Cipher, TheSameTextIsNeverSealedAlike) {
  const Secret key = Secret::random(key_bytes).value();
  EXPECT_NE(encrypt(key, as_byte_span("a"), {}), encrypt(key, as_byte_span("a"), {}));
}

TEST(Cipher, PurposesAndNamesMakeOtherKeys) {
  const Secret key = Secret::random(key_bytes).value();
  const auto a = derive_key(key, "a").value(), again = derive_key(key, "a").value(), b = derive_key(key, "b").value();
  EXPECT_TRUE(same_bytes(a.span(), again.span()));
  EXPECT_FALSE(same_bytes(a.span(), b.span()));
  EXPECT_NE(keyed_name(key, "ab", as_byte_span("c")), keyed_name(key, "a", as_byte_span("bc")));
}

TEST(Secret, IsLockedMovesAndGoes) {
  Secret a = secret_of("hunter2hunter2");
  Secret b = std::move(a);
  EXPECT_TRUE(a.is_empty());
  EXPECT_EQ(as_text(b.span()), "hunter2hunter2");
  b.shrink(6);
  EXPECT_EQ(as_text(b.span()), "hunter");
  b.wipe();
  EXPECT_TRUE(b.is_empty());
}

}  // namespace
}  // namespace hearth::vault
