#include "hearth/session/line_diff.h"

#include <gtest/gtest.h>

#include "hearth/base/random.h"

namespace hearth::session {
namespace {

TEST(LineDiff, LooksLikeDiff) {
  struct Case {
    std::string_view before, after, diff;
  };
  const Case cases[] = {
      {"a\nb\n", "a\nb\n", ""},
      {"a\nb\nc\n", "a\nx\nc\n", "@@ -1,3 +1,3 @@\n a\n-b\n+x\n c\n"},
      {"", "a\n", "@@ -0,0 +1 @@\n+a\n"},
      {"a\n", "", "@@ -1 +0,0 @@\n-a\n"},
      {"a", "a\n", "@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+a\n"},
      {"1\n2\n3\n4\n5\n6\n7\n8\n9\n", "1\n2\n3\n4\n5\n6\n7\n8\nx\n", "@@ -6,4 +6,4 @@\n 6\n 7\n 8\n-9\n+x\n"},
  };
  for (const Case& c : cases) EXPECT_EQ(unified_diff(c.before, c.after), c.diff) << c.before << "->" << c.after;
}

TEST(LineDiff, ChangesFarApartGetHunksOfTheirOwn) {
  std::string before;
  for (int i = 0; i < 30; ++i) before += std::to_string(i) + "\n";
  std::string after = before;
  after.replace(after.find("\n2\n"), 3, "\nx\n");
  after.replace(after.find("\n25\n"), 4, "\ny\n");
  const std::string diff = unified_diff(before, after);
  EXPECT_EQ(diff, "@@ -1,6 +1,6 @@\n 0\n 1\n-2\n+x\n 3\n 4\n 5\n@@ -23,7 +23,7 @@\n 22\n 23\n 24\n-25\n+y\n 26\n 27\n 28\n");
}

// What a diff keeps and adds is the new text, what it keeps and takes is the old one.
TEST(LineDiff, RandomTextsAreRebuiltFromTheirDiff) {
  Random random(1);
  const auto text = [&] {
    std::string out;
    for (std::uint64_t i = random.below(40); i > 0; --i) out += std::string(1, static_cast<char>('a' + random.below(4))) + "\n";
    return out;
  };
  for (int round = 0; round < 500; ++round) {
    const std::string before = text();
    const std::string after = text();
    const std::string diff = unified_diff(before, after, /*context_lines=*/1000);
    if (before == after) continue;
    std::string old_text, new_text;
    std::string_view rest = diff;
    rest.remove_prefix(rest.find('\n') + 1);
    while (!rest.empty()) {
      const std::size_t end = rest.find('\n') + 1;
      if (rest[0] != '+') old_text += rest.substr(1, end - 1);
      if (rest[0] != '-') new_text += rest.substr(1, end - 1);
      rest.remove_prefix(end);
    }
    ASSERT_EQ(old_text, before);
    ASSERT_EQ(new_text, after);
  }
}

TEST(LineDiff, TextsWithoutAnythingInCommonAreReplaced) {
  std::string before, after;
  for (int i = 0; i < 5'000; ++i) {
    before += "old " + std::to_string(i) + "\n";
    after += "new " + std::to_string(i) + "\n";
  }
  EXPECT_TRUE(unified_diff(before, after).starts_with("@@ -1,5000 +1,5000 @@\n-old 0\n"));
}

}  // namespace
}  // namespace hearth::session
