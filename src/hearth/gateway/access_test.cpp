// Who is let in: a table of keys, hosts and origins.
#include "hearth/gateway/access.h"

#include <gtest/gtest.h>

namespace hearth::gateway {
namespace {

using Kind = ApiError::Kind;

net::Request request(net::Headers headers) {
  net::Request out;
  out.headers = std::move(headers);
  return out;
}

// Nothing: let in.
std::optional<Kind> refusal(const AccessRules& rules, net::Headers headers, bool needs_key = true) {
  const auto error = Access(rules).check(request(std::move(headers)), needs_key);
  return error ? std::optional(error->kind) : std::nullopt;
}

TEST(Access, Hosts) {
  struct Case {
    const char* host;
    bool loopback_only;  // let in without allowed_hosts
    bool named;          // let in with allowed_hosts = home.example
  };
  const Case cases[] = {
      {"localhost", true, true},          {"localhost:8080", true, true},
      {"LocalHost", true, true},          {"127.0.0.1", true, true},
      {"127.0.0.1:1", true, true},        {"127.255.1.2", true, true},
      {"[::1]", true, true},              {"[::1]:8080", true, true},
      {"home.example", false, true},      {"HOME.example:443", false, true},
      {"evil.example", false, false},     {"localhost.evil.example", false, false},
      {"127.0.0.1.evil.example", false, false}, {"127.evil", false, false},
      {"[::2]", false, false},            {"[::1", false, false},
      {"192.168.1.2", false, false},      {"", false, false},
      {"a.home.example", false, false},   {"home.example.evil", false, false},
  };
  for (const Case& one : cases) {
    SCOPED_TRACE(one.host);
    const auto expected = [](bool ok) { return ok ? std::nullopt : std::optional(Kind::permission); };
    EXPECT_EQ(refusal({}, {{"Host", one.host}}), expected(one.loopback_only));
    EXPECT_EQ(refusal({.allowed_hosts = {"home.example"}}, {{"Host", one.host}}), expected(one.named));
    EXPECT_EQ(refusal({.allowed_hosts = {"*"}}, {{"Host", one.host}}), std::nullopt);
  }
  EXPECT_EQ(refusal({}, {}), std::nullopt);  // HTTP/1.0
}

TEST(Access, Origins) {
  struct Case {
    const char* origin;
    bool loopback_only;
    bool named;  // let in with allowed_origins = https://app.example
  };
  const Case cases[] = {
      {"http://localhost", true, true},       {"http://localhost:5173", true, true},
      {"https://127.0.0.1:8443", true, true}, {"http://[::1]:3000", true, true},
      {"https://app.example", false, true},   {"http://app.example", false, false},
      {"https://app.example:444", false, false}, {"null", false, false},
      {"https://evil.example", false, false}, {"http://localhost.evil.example", false, false},
      {"http://localhost@evil.example", false, false}, {"localhost", false, false},
      {"", false, false},
  };
  for (const Case& one : cases) {
    SCOPED_TRACE(one.origin);
    const net::Headers headers{{"Host", "localhost"}, {"Origin", one.origin}};
    const auto expected = [](bool ok) { return ok ? std::nullopt : std::optional(Kind::permission); };
    EXPECT_EQ(refusal({}, headers), expected(one.loopback_only));
    const AccessRules named{.allowed_origins = {"https://app.example"}};
    EXPECT_EQ(refusal(named, headers), expected(one.named));
    EXPECT_EQ(refusal({.allowed_origins = {"*"}}, headers), std::nullopt);
    // Only a page that is let in may read what is answered.
    EXPECT_EQ(Access(named).cors_origin(request(headers)), one.named ? one.origin : "");
  }
  EXPECT_EQ(Access({}).cors_origin(request({})), "");
}

TEST(Access, Keys) {
  const AccessRules rules{.api_keys = {"first", "second"}};
  struct Case {
    net::Headers headers;
    std::optional<Kind> refused;
  };
  const Case cases[] = {
      {{}, Kind::authentication},
      {{{"Authorization", "Bearer first"}}, {}},
      {{{"authorization", "bearer second"}}, {}},
      {{{"x-api-key", "first"}}, {}},
      {{{"X-API-Key", "second"}}, {}},
      {{{"Authorization", "Bearer wrong"}}, Kind::authentication},
      {{{"Authorization", "Bearer "}}, Kind::authentication},
      {{{"Authorization", "Basic first"}}, Kind::authentication},
      {{{"Authorization", "first"}}, Kind::authentication},
      {{{"x-api-key", "First"}}, Kind::authentication},
      {{{"x-api-key", "firs"}}, Kind::authentication},
      {{{"x-api-key", ""}}, Kind::authentication},
      // Some clients send both, and one of them may be a leftover of another service.
      {{{"Authorization", "Bearer leftover"}, {"x-api-key", "first"}}, {}},
      {{{"Authorization", "Bearer first"}, {"x-api-key", "leftover"}}, {}},
      {{{"Authorization", "Bearer leftover"}, {"x-api-key", "another"}}, Kind::authentication},
  };
  int number = 0;
  for (const Case& one : cases) {
    SCOPED_TRACE(number++);
    net::Headers headers = one.headers;
    headers.add("Host", "localhost");
    EXPECT_EQ(refusal(rules, headers), one.refused);
    EXPECT_EQ(refusal(rules, headers, /*needs_key=*/false), std::nullopt);
    EXPECT_EQ(refusal({}, headers), std::nullopt);  // no keys: everybody
  }
}

TEST(Access, MessagesDoNotRepeatWhatWasSent) {
  const Access access({.api_keys = {"right-key"}});
  for (const net::Headers& headers :
       {net::Headers{{"x-api-key", "wrong-key"}}, {{"Host", "wrong-host"}},
        {{"Host", "localhost"}, {"Origin", "http://wrong-origin"}}}) {
    const auto error = access.check(request(headers), true);
    ASSERT_TRUE(error);
    for (const char* secret : {"right-key", "wrong-key", "wrong-host", "wrong-origin"}) {
      EXPECT_EQ(error->message.find(secret), std::string::npos) << error->message;
    }
  }
}

TEST(Access, ClientsAreToldApartByTheirKeys) {
  const Access access({.api_keys = {"a", "b"}});
  const std::string first = access.client_name(request({{"x-api-key", "a"}}));
  EXPECT_EQ(first, access.client_name(request({{"Authorization", "Bearer a"}})));
  EXPECT_NE(first, access.client_name(request({{"x-api-key", "b"}})));
  EXPECT_NE(first, "a");
  EXPECT_EQ(access.client_name(request({})), "");
  // The key that let it in counts, not a leftover beside it.
  EXPECT_EQ(first, access.client_name(request({{"Authorization", "Bearer x"}, {"x-api-key", "a"}})));
}

}  // namespace
}  // namespace hearth::gateway
