#include "hearth/node/membership/members.h"

#include <gtest/gtest.h>

#include "hearth/net/test_tls.h"
#include "hearth/node/membership/machine_name.h"

namespace hearth::node {
namespace {

using net::take;

constexpr std::chrono::sys_seconds some_day{std::chrono::seconds(1'800'000'000)};

net::CertificateFacts certificate(const std::string& name, std::uint64_t serial) {
  net::CertificateFacts out;
  out.common_name = name;
  out.serial = serial;
  out.certificate_sha256 = blake2b(as_byte_span(name + std::to_string(serial))).hex();
  out.public_key_sha256 = blake2b(as_byte_span("key of " + name + std::to_string(serial))).hex();
  out.expires = some_day + std::chrono::days(90);
  return out;
}

MemberList sample() {
  MemberList list;
  list.cluster = "home";
  list.authority = "studio";
  list = take(with_member(list, "studio", "studio.local:7070", certificate("studio", 2)));
  return take(with_member(list, "spark-1", "", certificate("spark-1", 3)));
}

TEST(Members, ListsReadBackAsWritten) {
  const net::TestAuthority authority;
  const MemberList list = take(without_member(
      take(with_member(sample(), "gone", "", certificate("gone", 4))), "gone", some_day));
  const std::string text = take(sign_members(list, authority.key));
  EXPECT_EQ(take(open_members(text, authority.certificate)), list);
  const net::TestAuthority other;
  EXPECT_FALSE(open_members(text, other.certificate));
  for (std::size_t i = 0; i < text.find('\n'); i += 7) {
    std::string changed = text;
    changed[i] ^= 1;
    EXPECT_FALSE(open_members(changed, authority.certificate)) << i;
  }
}

TEST(Members, CertificatesAreGoodByThePinsOfTheList) {
  const MemberList list = sample();
  const MemberList renewed = take(with_renewal(list, certificate("spark-1", 3), "", certificate("spark-1", 4)));
  const MemberList again =
      take(with_renewal(renewed, certificate("spark-1", 4), "", certificate("spark-1", 5)));
  const MemberList removed = take(without_member(again, "spark-1", some_day));
  const MemberList rejoined = take(with_member(removed, "spark-1", "", certificate("spark-1", 6)));
  auto forged = certificate("spark-1", 3);
  forged.certificate_sha256 = certificate("x", 1).certificate_sha256;
  const struct {
    const char* what;
    const MemberList& list;
    net::CertificateFacts certificate;
    bool admitted;
  } cases[] = {
      {"a member's", list, certificate("spark-1", 3), true},
      {"another certificate of that name and serial", list, forged, false},
      {"a stranger's", list, certificate("laptop", 3), false},
      {"one newer than the list", list, certificate("laptop", 4), true},
      {"the one that was shown when it was renewed", renewed, certificate("spark-1", 3), true},
      {"the renewed one", renewed, certificate("spark-1", 4), true},
      {"one renewed twice", again, certificate("spark-1", 3), false},
      {"a removed one", removed, certificate("spark-1", 5), false},
      {"an older one of a removed machine", removed, certificate("spark-1", 4), false},
      {"of a removed machine that joined again", rejoined, certificate("spark-1", 6), true},
      {"its certificate from before", rejoined, certificate("spark-1", 5), false},
  };
  for (const auto& one : cases) {
    EXPECT_EQ(admit_by_list(one.list, one.certificate).has_value(), one.admitted) << one.what;
  }
}

TEST(Members, NewerListsReplaceOlderOnes) {
  const MemberList list = sample();
  const MemberList next = take(with_member(list, "laptop", "", certificate("laptop", 4)));
  EXPECT_TRUE(take(is_newer(next, list)));
  EXPECT_FALSE(take(is_newer(list, next)));
  EXPECT_FALSE(take(is_newer(list, list)));
  const MemberList rival = take(with_member(list, "other", "", certificate("other", 4)));
  const auto both = is_newer(next, rival);
  ASSERT_FALSE(both);
  EXPECT_EQ(both.error().code, Code::corrupt);
}

TEST(Members, RemovalsAreForgottenWhenTheirCertificatesHaveExpired) {
  const MemberList list = take(without_member(sample(), "spark-1", some_day));
  ASSERT_EQ(list.removed.size(), 1u);
  const MemberList more = take(with_member(list, "laptop", "", certificate("laptop", 4)));
  EXPECT_EQ(take(without_member(more, "laptop", some_day)).removed.size(), 2u);
  EXPECT_EQ(take(without_member(more, "laptop", some_day + std::chrono::days(91))).removed.size(), 1u);
}

TEST(Members, ListsHaveLimits) {
  MemberList list = sample();
  for (std::size_t i = list.members.size(); i < members_max; ++i) {
    const std::string name = "m" + std::to_string(i);
    list = take(with_member(std::move(list), name, "", certificate(name, list.last_serial + 1)));
  }
  EXPECT_FALSE(with_member(list, "more", "", certificate("more", 9999)));
  EXPECT_FALSE(with_member(sample(), "spark-1", "", certificate("spark-1", 9)));
  EXPECT_LT(dump_json(to_json(list)).size(), members_bytes_max / 2);
}

TEST(Members, MalformedListsAreRefusedWithTheirPlace) {
  const Json good = to_json(sample());
  EXPECT_TRUE(parse_members(dump_json(good)));
  const struct {
    const char* member;
    Json value;
    const char* said;
  } cases[] = {
      {"format", 2, "format 2"},
      {"authority", "nobody", "authority"},
      {"authority", "No Name", "authority"},
      {"version", -1, "version"},
      {"last_serial", 1, "last_serial"},
      {"members", 7, "members"},
      {"members", Json::array({Json::object({{"name", "x"}})}), "members[0]"},
      {"removed", Json::array({3}), "removed[0]"},
  };
  for (const auto& one : cases) {
    Json bad = good;
    bad.set(one.member, one.value);
    const auto parsed = parse_members(dump_json(bad));
    ASSERT_FALSE(parsed) << one.member;
    EXPECT_NE(parsed.error().message.find(one.said), std::string::npos) << parsed.error().message;
  }
  EXPECT_FALSE(parse_members(std::string(members_bytes_max + 1, ' ')));
}

TEST(MachineName, IsALabel) {
  for (const char* name : {"studio", "spark-1", "a", "0"}) EXPECT_TRUE(check_machine_name(name)) << name;
  for (const char* name : {"", "-a", "a-", "A", "a.b", "a_b", "a b", "ä"}) {
    EXPECT_FALSE(check_machine_name(name)) << name;
  }
  EXPECT_FALSE(check_machine_name(std::string(machine_name_bytes_max + 1, 'a')));
  const std::pair<const char*, const char*> hosts[] = {
      {"Studio.local", "studio"}, {"my_mac's", "my-mac-s"}, {"", "machine"}, {"---", "machine"}};
  for (const auto& [host, name] : hosts) EXPECT_EQ(machine_name_of_host(host), name);
}

}  // namespace
}  // namespace hearth::node
