#include "hearth/base/toml.h"

#include <gtest/gtest.h>

namespace hearth {
namespace {

TEST(Toml, CharactersBeyondAsciiMayStandInQuotesAndComments) {
  for (const char* text : {
           "# mōra\na = 1",
           "a = \"mōra\"",
           "a = 'mōra'",
           "\"mōra\" = 1",
           "'mōra' = 1",
           "a = \"\"\"one\nmōra\"\"\"",
           "a = '''one\nmōra'''",
           "a = \"a \\\" mōra\"",
           "a = \"\"\"a \\\"\"\" mōra \"\"\"",
           "a = \"\"\"\"mōra\"\"\"\"\"",
           "a = ''''mōra'''''",
           "a = \"\" # mōra",
           "a = 'back\\' # mōra",
           "\xEF\xBB\xBF"
           "a = 1",
       }) {
    const auto parsed = parse_toml(text, "x");
    EXPECT_TRUE(parsed) << text << ": " << parsed.error().message;
  }
}

TEST(Toml, CharactersBeyondAsciiElsewhereAreRefusedWithTheirPlace) {
  struct Case {
    const char* text;
    const char* told;
  };
  for (const Case& one : {
           Case{"mōra = 1", "x:1:2: 'ō'"},
           Case{"a = 1\nb = mōra", "x:2:6: 'ō'"},
           Case{"[mōra]", "x:1:3: 'ō'"},
           Case{"a = 1\xC2\xA0", "x:1:6: "},
           Case{"a = \"mōra\" ō", "x:1:12: 'ō'"},
           Case{"a = \"\"\"x\"\"\"\"\"ō", "x:1:14: 'ō'"},
           Case{"a = '''x''''ō", "x:1:13: 'ō'"},
           Case{"a = \"open\nō = \"", "x:2:1: 'ō'"},
           Case{"a = \"open\\\nō = 1", "x:2:1: 'ō'"},
           Case{"a = 'x\\' ō", "x:1:10: 'ō'"},
           Case{"a = \"\" ō", "x:1:8: 'ō'"},
       }) {
    const auto parsed = parse_toml(one.text, "x");
    ASSERT_FALSE(parsed) << one.text;
    EXPECT_TRUE(parsed.error().message.starts_with(one.told)) << parsed.error().message;
  }
}

TEST(Toml, WhatIsNotUtf8IsRefusedWithItsPlace) {
  for (const char* text : {"a = 1\n# \xFF", "a = 1\nb=\xC5"}) {
    const auto parsed = parse_toml(text, "x");
    ASSERT_FALSE(parsed);
    EXPECT_TRUE(parsed.error().message.starts_with("x:2:3: not UTF-8")) << parsed.error().message;
  }
}

}  // namespace
}  // namespace hearth
