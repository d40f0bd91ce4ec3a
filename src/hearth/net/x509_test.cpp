#include "hearth/net/x509.h"

#include <gtest/gtest.h>

#include "hearth/net/test_tls.h"

namespace hearth::net {
namespace {

TEST(X509, CertificatesSayWhatTheyWereTold) {
  const TestAuthority authority;
  const auto facts = take(read_certificate(authority.identity("studio", 48, 7).certificate_pem));
  EXPECT_EQ(facts.common_name, "studio");
  EXPECT_EQ(facts.serial, 7u);
  EXPECT_EQ(facts.certificate_sha256.size(), 64u);
  EXPECT_EQ(facts.public_key_sha256.size(), 64u);
  EXPECT_LT(facts.not_before, in_hours(0));
  EXPECT_GT(facts.expires, in_hours(47));
}

TEST(X509, ASeedGivesTheSameKeyEverywhere) {
  Digest256 seed;
  seed.bytes[5] = std::byte{9};
  const std::string key = take(make_private_key_of_seed(seed));
  EXPECT_EQ(key, take(make_private_key_of_seed(seed)));
  seed.bytes[5] = std::byte{8};
  EXPECT_NE(key, take(make_private_key_of_seed(seed)));
}

TEST(X509, KeysAndCertificatesArePairs) {
  const TestAuthority authority;
  const auto identity = authority.identity("studio");
  EXPECT_TRUE(check_key_of(identity.certificate_pem, identity.private_key_pem));
  EXPECT_FALSE(check_key_of(identity.certificate_pem, authority.key));
  EXPECT_TRUE(check_key_of(authority.certificate, authority.key));
  EXPECT_EQ(take(split_certificates(identity.certificate_pem)).size(), 2u);
}

TEST(X509, SignaturesHoldForTheirTextAndTheirKeyOnly) {
  const TestAuthority one;
  const TestAuthority other;
  const std::string signature = take(sign_text(one.key, "text"));
  EXPECT_TRUE(check_signature(one.certificate, "text", signature));
  EXPECT_FALSE(check_signature(one.certificate, "Text", signature));
  EXPECT_FALSE(check_signature(other.certificate, "text", signature));
  EXPECT_FALSE(check_signature(one.certificate, "text", ""));
  EXPECT_FALSE(check_signature(one.certificate, "text", "zz"));
  EXPECT_FALSE(check_signature(one.certificate, "text", std::string(1000, 'a')));
}

TEST(X509, WhatIsNotPemIsRefused) {
  const TestAuthority authority;
  const std::string whole = authority.certificate;
  for (const std::string& text : {std::string(), std::string("text"), whole.substr(0, whole.size() / 2),
                                  authority.key, std::string(pem_bytes_max + 1, 'x')}) {
    EXPECT_FALSE(read_certificate(text));
    EXPECT_FALSE(sign_request(text, {}, authority.certificate, authority.key));
    EXPECT_FALSE(TlsCredentials::create({text, authority.key}, authority.certificate));
  }
}

}  // namespace
}  // namespace hearth::net
