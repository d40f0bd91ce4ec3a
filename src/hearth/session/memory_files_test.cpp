#include "hearth/session/memory_files.h"

#include <gtest/gtest.h>

namespace hearth::session {
namespace {

TEST(MemoryFiles, PathsThatAreNotPlainNamesAreRefused) {
  for (const std::string_view good : {"a.md", "notes/family.md", "Zürich/März.md", "a b.md", "x/y/z"}) {
    EXPECT_TRUE(check_memory_path(good)) << good;
  }
  const std::string deep = [] {
    std::string out = "a";
    for (std::size_t i = 0; i < memory_depth_max; ++i) out += "/a";
    return out;
  }();
  for (const std::string_view bad :
       {std::string_view(""), std::string_view("/a"), std::string_view("a/"), std::string_view("a//b"),
        std::string_view("."), std::string_view(".."), std::string_view("a/../b"), std::string_view(".hidden"),
        std::string_view("a/.git/b"), std::string_view("a\\b"), std::string_view("a\nb"), std::string_view("a\0b", 3),
        std::string_view("a\"b"), std::string_view("a<b"), std::string_view("\xff"), std::string_view(deep)}) {
    EXPECT_FALSE(check_memory_path(bad)) << bad;
  }
  EXPECT_FALSE(check_memory_path(std::string(memory_path_bytes_max + 1, 'a')));
}

TEST(MemoryFiles, TextThatIsNoTextIsNamedWithItsMend) {
  EXPECT_TRUE(check_memory_text("a.md", "Grüße\r\n"));
  EXPECT_NE(check_memory_text("a.md", std::string_view("a\0b", 3)).error().message.find("a.md: is binary"), std::string::npos);
  EXPECT_NE(check_memory_text("a.md", "ab\xff").error().message.find("not UTF-8 at byte 2"), std::string::npos);
  EXPECT_EQ(check_memory_text("a.md", std::string(memory_file_bytes_max + 1, 'a')).error().code, Code::resource_exhausted);
}

TEST(MemoryFiles, FilesThatDifferOnlyInCaseAreRefused) {
  EXPECT_TRUE(check_memory_files({{"a.md", ""}, {"b.md", ""}}));
  EXPECT_NE(check_memory_files({{"A.md", ""}, {"a.md", ""}}).error().message.find("A.md and a.md"), std::string::npos);
}

TEST(MemoryFiles, ChangesTakeOneStateToTheOther) {
  const MemoryFiles before{{"a", "1"}, {"b", "2"}, {"d", "4"}};
  const MemoryFiles after{{"a", "1"}, {"b", "3"}, {"c", "5"}};
  const auto changes = changes_between(before, after);
  EXPECT_EQ(changes, (std::vector<MemoryChange>{{"b", "3"}, {"c", "5"}, {"d", std::nullopt}}));
  MemoryFiles files = before;
  apply_changes(files, changes);
  EXPECT_EQ(files, after);
  EXPECT_NE(digest_of(before), digest_of(after));
  EXPECT_NE(digest_of({{"ab", "c"}}), digest_of({{"a", "bc"}}));
}

}  // namespace
}  // namespace hearth::session
