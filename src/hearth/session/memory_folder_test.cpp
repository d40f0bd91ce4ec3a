#include "hearth/session/memory_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <fstream>

#include "hearth/base/file.h"
#include "hearth/session/memory_prefix.h"

namespace hearth::session {
namespace fs = std::filesystem;
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class MemoryFolder : public ::testing::Test {
 protected:
  fs::path folder() const { return home_.path() / "memory"; }
  void SetUp() override { fs::create_directories(folder()); }
  void write(const std::string& path, const std::string& text) const {
    fs::create_directories((folder() / path).parent_path());
    std::ofstream(folder() / path, std::ios::binary) << text;
  }
  std::string read(const std::string& path) const {
    const auto text = read_text_file(folder() / path, 1 << 20);
    return text ? *text : "(" + text.error().message + ")";
  }
  std::string fault() const {
    const auto files = read_memory_folder(folder());
    return files ? "none" : files.error().message;
  }

  TemporaryDirectory home_ = *TemporaryDirectory::create("hearth-memory-test");
};

TEST_F(MemoryFolder, SameFilesGiveTheSameBytesWhateverTheirTimesAndOrder) {
  write("b.md", "two\n");
  write("a/c.md", "three");
  write("a.md", "one\n");
  write(".git/config", "not memory");
  const auto first = read_memory_folder(folder());
  ASSERT_TRUE(first);
  const std::string prefix = render_prefix("Be kind.", *first);
  EXPECT_EQ(prefix,
            "Be kind.\n\n# Memory\n\n"
            "These files are what you know about the person you talk to. They were read when this conversation\n"
            "began; later changes are told in the conversation, and count more than what stands here.\n"
            "\n<memory_file path=\"a.md\">\none\n</memory_file>\n"
            "\n<memory_file path=\"a/c.md\">\nthree\n</memory_file>\n"
            "\n<memory_file path=\"b.md\">\ntwo\n</memory_file>\n");
  fs::remove_all(folder());
  write("a.md", "one\n");
  write("a/c.md", "three");
  write("b.md", "two\n");
  fs::last_write_time(folder() / "a.md", fs::file_time_type::clock::now() - std::chrono::hours(1000));
  const auto second = read_memory_folder(folder());
  ASSERT_TRUE(second);
  EXPECT_EQ(render_prefix("Be kind.", *second), prefix);
}

TEST_F(MemoryFolder, EveryFaultIsNamedWithItsMend) {
  write("good.md", "fine");
  write("picture.png", std::string("\x89PNG\0\0", 6));
  write("latin1.md", "caf\xe9");
  fs::create_symlink("/etc/passwd", folder() / "link.md");
  fs::create_symlink("/etc", folder() / "linked_folder");
  ASSERT_EQ(::mkfifo((folder() / "pipe").c_str(), 0600), 0);
  fs::create_hard_link(folder() / "good.md", folder() / "second.md");
  std::ofstream(folder() / "huge.md");
  fs::resize_file(folder() / "huge.md", 100u << 20);
  const std::string message = fault();
  for (const std::string_view expected :
       {"picture.png: is binary", "latin1.md: is not UTF-8 at byte 3; convert it with iconv", "link.md: is a link",
        "linked_folder: is a link", "pipe: is not a regular file", "second.md: has a second name (hard link)",
        "huge.md: 104857600 bytes, a memory file has at most 2097152; split it"}) {
    EXPECT_THAT(message, HasSubstr(std::string(expected)));
  }
}

TEST_F(MemoryFolder, AFolderThatIsNotThereIsNamed) {
  fs::remove_all(folder());
  EXPECT_THAT(fault(), HasSubstr("no memory folder at"));
}

TEST_F(MemoryFolder, FoldingWritesWhatChangedAndKeepsTheOldVersion) {
  write("a.md", "one\n");
  write("deep/b.md", "two\n");
  write("c.md", "three\n");
  const MemoryFiles known = *read_memory_folder(folder());
  MemoryFiles wanted = known;
  wanted["a.md"] = "ONE\n";
  wanted["new/d.md"] = "four\n";
  wanted.erase("deep/b.md");
  const auto report = fold_memory(folder(), known, wanted, "20260101T000000Z");
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_THAT(report->written, ElementsAre("a.md", "new/d.md"));
  EXPECT_THAT(report->removed, ElementsAre("deep/b.md"));
  EXPECT_THAT(report->conflicts, IsEmpty());
  EXPECT_EQ(*read_memory_folder(folder()), wanted);
  EXPECT_FALSE(fs::exists(folder() / "deep"));
  EXPECT_EQ(read(".hearth/backup/20260101T000000Z/a.md"), "one\n");
  EXPECT_EQ(read(".hearth/backup/20260101T000000Z/deep/b.md"), "two\n");
  EXPECT_EQ(read("c.md"), "three\n");
}

TEST_F(MemoryFolder, AFileThatSomebodyElseChangedIsLeftAsItIs) {
  write("a.md", "one\n");
  const MemoryFiles known = *read_memory_folder(folder());
  write("a.md", "by hand\n");
  MemoryFiles wanted = known;
  wanted["a.md"] = "by the session\n";
  const auto report = fold_memory(folder(), known, wanted, "S");
  ASSERT_TRUE(report);
  EXPECT_THAT(report->conflicts, ElementsAre("a.md"));
  EXPECT_EQ(read("a.md"), "by hand\n");
  EXPECT_EQ(read(".hearth/backup/S/a.md.session"), "by the session\n");
}

TEST_F(MemoryFolder, ALinkThatAppearsBeforeFoldingIsNotFollowed) {
  write("notes/a.md", "one\n");
  const MemoryFiles known = *read_memory_folder(folder());
  fs::create_directories(home_.path() / "elsewhere");
  fs::remove_all(folder() / "notes");
  fs::create_symlink(home_.path() / "elsewhere", folder() / "notes");
  MemoryFiles wanted = known;
  wanted["notes/b.md"] = "two\n";
  EXPECT_FALSE(fold_memory(folder(), known, wanted, "S"));
  EXPECT_TRUE(fs::is_empty(home_.path() / "elsewhere"));
}

TEST(MemoryChangeText, TellsSmallChangesAsADiffAndOthersWhole) {
  const std::string before = "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\nThe cat is called Mia, and she is nine.\n12\n13\n14\n15\n16\n17\n18\n19\n20\n"
                             "The garden faces south.\nThe river floods in March.\n";
  std::string after = before;
  after.replace(after.find("nine"), 4, "ten");
  EXPECT_EQ(render_change({{"a.md", before}, {"gone.md", "x"}}, {{"a.md", after}, {"b.md", "new"}}),
            "Memory has changed:\n"
            "\n<memory_change path=\"a.md\">\n@@ -8,7 +8,7 @@\n 8\n 9\n 10\n-The cat is called Mia, and she is nine.\n"
            "+The cat is called Mia, and she is ten.\n 12\n 13\n 14\n</memory_change>\n"
            "\n<memory_file path=\"b.md\">\nnew\n</memory_file>\n"
            "\n<memory_file path=\"gone.md\" removed=\"true\"/>\n");
  EXPECT_EQ(render_change({{"a", "b"}}, {{"a", "b"}}), "");
}

}  // namespace
}  // namespace hearth::session
