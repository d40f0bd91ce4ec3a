#include "hearth/base/utf8.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace hearth {
namespace {

TEST(Utf8, KnowsValidFromInvalid) {
  for (const char* good : {"", "abc", "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x94\xA5", "\xED\x9F\xBF"}) {
    EXPECT_TRUE(is_valid_utf8(good)) << good;
  }
  // Stray continuation, overlong, surrogate, beyond U+10FFFF, cut short.
  for (const char* bad : {"\x80", "\xC0\xAF", "\xE0\x80\xAF", "\xED\xA0\x80", "\xF4\x90\x80\x80",
                          "\xE2\x82", "\xFF"}) {
    EXPECT_FALSE(is_valid_utf8(bad));
  }
}

TEST(Utf8, ReplacesEachInvalidByte) {
  EXPECT_EQ(replace_invalid_utf8("a\xFF\xC3z"), "a\xEF\xBF\xBD\xEF\xBF\xBDz");
}

TEST(Utf8, HoldsBackOnlyWhatMayBeCompleted) {
  EXPECT_EQ(complete_utf8_prefix("ab\xE2\x82"), 2u);
  EXPECT_EQ(complete_utf8_prefix("ab\xE2\x82\xAC"), 5u);
  EXPECT_EQ(complete_utf8_prefix("ab\xF0\x9F\x94"), 2u);
  EXPECT_EQ(complete_utf8_prefix("ab\x80"), 3u);         // never completed: let it through
  EXPECT_EQ(complete_utf8_prefix("ab\xED\xA0"), 4u);     // a surrogate: never valid
  EXPECT_EQ(complete_utf8_prefix(""), 0u);
}

// All texts of up to four bytes from those that matter: a walk admits a prefix exactly when some
// continuation makes it valid.
TEST(Utf8Walk, AdmitsExactlyWhatCanBecomeValid) {
  const std::string bytes("\x00\x41\x7f\x80\x8f\x90\x9f\xa0\xbf\xc0\xc1\xc2\xdf\xe0\xed\xef\xf0\xf4\xf5\xff", 20);
  const std::vector<std::string> endings = {"", "\x80", "\x80\x80", "\x80\x80\x80", "\x90\x80", "\x90\x80\x80",
                                            "\xa0\x80", "\x8f\x80\x80"};
  std::vector<std::string> texts = {""};
  for (int length = 1; length <= 4; ++length) {
    std::vector<std::string> longer;
    for (const std::string& text : texts) {
      for (const char byte : bytes) {
        const std::string next = text + byte;
        Utf8Walk walk;
        walk.take(text);
        const bool can_be_valid = std::ranges::any_of(
            endings, [&](const std::string& ending) { return is_valid_utf8(next + ending); });
        ASSERT_EQ(walk.admits(std::string_view(&byte, 1)), can_be_valid) << testing::PrintToString(next);
        if (can_be_valid) longer.push_back(next);
      }
    }
    texts = std::move(longer);
  }
  EXPECT_GT(texts.size(), 100U);
}

}  // namespace
}  // namespace hearth
