#include "hearth/net/address.h"

#include <gtest/gtest.h>

namespace hearth::net {
namespace {

TEST(Address, ReadsEverySpelling) {
  struct Case {
    const char* text;
    Address expected;
    const char* canonical;
  };
  const Case cases[] = {
      {"127.0.0.1:0", Address::tcp("127.0.0.1", 0), "127.0.0.1:0"},
      {"http://studio.local:7070", Address::tcp("studio.local", 7070), "studio.local:7070"},
      {"http://studio", Address::tcp("studio", 80), "studio:80"},
      {"http://[::1]:81/", Address::tcp("::1", 81), "[::1]:81"},
      {"https://api.example.com",
       {"api.example.com", 443, "", true},
       "https://api.example.com:443"},
      {"unix:/run/h e.sock", Address::unix_socket("/run/h e.sock"), "unix:/run/h e.sock"},
  };
  for (const Case& one : cases) {
    const auto address = parse_address(one.text);
    ASSERT_TRUE(address) << one.text;
    EXPECT_EQ(*address, one.expected) << one.text;
    EXPECT_EQ(address->text(), one.canonical);
  }
}

TEST(Address, RefusesWhatIsNone) {
  const std::string long_path = "unix:/" + std::string(unix_path_bytes_max, 'a');
  const std::string_view cases[] = {"",
                                    "host",
                                    "host:",
                                    ":80",
                                    "host:65536",
                                    "host:-1",
                                    "host:8o",
                                    "http://",
                                    "http://h/path",
                                    "ftp://h:21",
                                    "[::1",
                                    "[::1]80",
                                    "[host]:80",
                                    "a b:80",
                                    "h:80/",
                                    "unix:",
                                    "unix:relative",
                                    "user@host:80",
                                    "::1:80",
                                    std::string_view("unix:/a\0b", 9),
                                    long_path};
  for (const auto text : cases) {
    const auto address = parse_address(text);
    ASSERT_FALSE(address) << text;
    EXPECT_EQ(address.error().code, Code::invalid_argument);
  }
}

TEST(Address, KnowsWhatStaysOnTheMachine) {
  for (const auto* text : {"127.0.0.1:1", "127.8.0.1:1", "localhost:1", "[::1]:1", "unix:/s"}) {
    EXPECT_TRUE(parse_address(text)->is_local()) << text;
  }
  for (const auto* text : {"127.example.org:1", "10.0.0.1:1", "localhost.example.org:1"}) {
    EXPECT_FALSE(parse_address(text)->is_local()) << text;
  }
}

}  // namespace
}  // namespace hearth::net
