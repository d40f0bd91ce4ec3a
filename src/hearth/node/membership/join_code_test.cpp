#include "hearth/node/membership/join_code.h"

#include <gtest/gtest.h>

#include "hearth/net/test_tls.h"

namespace hearth::node {
namespace {

using net::take;

JoinCode sample(std::string host = "192.168.1.10") {
  static const net::TestAuthority authority;
  return take(make_join_code("studio", net::Address::tcp(std::move(host), 7070), authority.certificate));
}

TEST(JoinCode, ReadsWhatItWrites) {
  for (const char* host : {"192.168.1.10", "studio.local", "::1"}) {
    const JoinCode code = sample(host);
    EXPECT_EQ(take(parse_join_code("  " + join_code_text(code) + "\n")), code);
  }
}

TEST(JoinCode, EveryChangedCharacterIsNoticed) {
  const std::string text = join_code_text(sample());
  for (std::size_t i = 0; i < text.size(); ++i) {
    std::string changed = text;
    changed[i] = changed[i] == '0' ? '1' : '0';
    EXPECT_FALSE(parse_join_code(changed)) << i;
    EXPECT_FALSE(parse_join_code(text.substr(0, i))) << i;
  }
}

TEST(JoinCode, EachHasItsOwnSecretAndKey) {
  const JoinCode a = sample();
  const JoinCode b = sample();
  EXPECT_NE(a.secret, b.secret);
  EXPECT_EQ(a.authority_sha256, b.authority_sha256);
  EXPECT_EQ(take(invited_key_digest(a)), take(invited_key_digest(a)));
  EXPECT_NE(take(invited_key_digest(a)), take(invited_key_digest(b)));
  const auto identity = take(invited_identity(a));
  EXPECT_TRUE(net::check_key_of(identity.certificate_pem, identity.private_key_pem));
}

}  // namespace
}  // namespace hearth::node
