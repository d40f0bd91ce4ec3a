#include "hearth/net/url.h"

#include <gtest/gtest.h>

#include "hearth/net/content_range.h"

namespace hearth::net {
namespace {

TEST(ParseUrl, SplitsAddressAndTarget) {
  const auto url = parse_url("https://example.org/a/m-00001-of-00002.gguf?download=true#top");
  ASSERT_TRUE(url) << url.error().message;
  EXPECT_EQ(url->address, (Address{.host = "example.org", .port = 443, .path = {}, .tls = true}));
  EXPECT_EQ(url->target, "/a/m-00001-of-00002.gguf?download=true");
  EXPECT_EQ(url->shown(), "https://example.org/a/m-00001-of-00002.gguf");
  EXPECT_EQ(*file_name_of(*url), "m-00001-of-00002.gguf");
  EXPECT_EQ(with_file_name(*url, "m-00002-of-00002.gguf").text(),
            "https://example.org/a/m-00002-of-00002.gguf?download=true");
  EXPECT_EQ(parse_url("http://h?x=1")->target, "/?x=1");
  EXPECT_EQ(parse_url("http://[::1]:8080/m")->text(), "http://[::1]:8080/m");
}

TEST(ParseUrl, RefusesWhatIsNone) {
  for (const char* bad : {"", "model.gguf", "ftp://h/m", "http://", "http:///m", "http://h/a b",
                          "http://user:secret@h/m", "https://h:99999/m", "http://h/\xc3\xa4"}) {
    const auto url = parse_url(bad);
    ASSERT_FALSE(url) << bad;
    EXPECT_EQ(url.error().code, Code::invalid_argument) << bad;
  }
  EXPECT_FALSE(parse_url("http://h/" + std::string(url_bytes_max, 'a')));
}

TEST(ResolveLocation, FollowsEachForm) {
  const Url base = *parse_url("https://h.org/a/b.gguf?q=1");
  const auto to = [&](std::string_view location) { return resolve_location(base, location)->text(); };
  EXPECT_EQ(to("http://other/x"), "http://other/x");
  EXPECT_EQ(to("//cdn.org/x?s=2"), "https://cdn.org/x?s=2");
  EXPECT_EQ(to("/c/d"), "https://h.org/c/d");
  EXPECT_EQ(to("c.gguf"), "https://h.org/a/c.gguf");
  EXPECT_EQ(to("?s=2"), "https://h.org/a/b.gguf?s=2");
  for (const char* bad : {"", "file:///etc/passwd", "unix:/run/x", "/a b", "javascript:1"}) {
    EXPECT_FALSE(resolve_location(base, bad)) << bad;
  }
}

TEST(ParseContentRange, TakesThreeFormsAndNothingElse) {
  const auto whole = parse_content_range("bytes 0-1023/4096");
  ASSERT_TRUE(whole);
  EXPECT_EQ(whole->span->bytes(), 1024u);
  EXPECT_EQ(whole->total_bytes, 4096u);
  EXPECT_FALSE(parse_content_range("Bytes 5-5/*")->total_bytes);
  EXPECT_FALSE(parse_content_range("bytes */4096")->span);
  for (const char* bad :
       {"", "bytes", "bytes 0-1023", "bytes 9-1/20", "bytes 0-20/20", "bytes -5/20", "bytes 0-/20",
        "items 0-1/2", "bytes */*", "bytes 0-1/-2", "bytes 0-1/9223372036854775808",
        "bytes 0-18446744073709551616/*", "bytes 0-1/2, bytes 3-4/5", "bytes +0-1/2"}) {
    EXPECT_FALSE(parse_content_range(bad)) << bad;
  }
}

}  // namespace
}  // namespace hearth::net
