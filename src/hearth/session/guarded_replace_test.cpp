#include "hearth/session/guarded_replace.h"

#include <gtest/gtest.h>

#include <fstream>

#include "hearth/base/file.h"
#include "hearth/base/thread.h"
#include "hearth/session/folder_access.h"

namespace hearth::session {
namespace fs = std::filesystem;
namespace {

using Text = std::optional<std::string>;

class GuardedReplace : public ::testing::Test {
 protected:
  Text read(const std::string& path) const {
    const auto text = read_text_file(home_.path() / path, 1 << 20);
    return text ? Text(*text) : std::nullopt;
  }
  void write(const std::string& path, const Text& text) const {
    fs::create_directories((home_.path() / path).parent_path());
    fs::remove(home_.path() / path);
    if (text) std::ofstream(home_.path() / path, std::ios::binary) << *text;
  }
  // Names that were left over.
  std::size_t strays() const {
    std::size_t out = 0;
    for (const auto& entry : fs::recursive_directory_iterator(home_.path())) out += entry.path().extension() == ".tmp" ? 1U : 0U;
    return out;
  }
  TemporaryDirectory home_ = *TemporaryDirectory::create("hearth-replace-test");
  FileDescriptor root_ = *open_folder(home_.path());
};

// What is there, what it was thought to be, what it shall be: is it done, what is there then, what is the backup.
TEST_F(GuardedReplace, ReplacesOnlyWhatIsAsExpected) {
  struct Case {
    Text there, expected, wanted;
    bool done;
    Text after, backup;
  };
  const Text none, one = "one\n", two = "two\n", edited = "edited by hand\n";
  const Case cases[] = {
      {one, one, two, true, two, one},         {none, none, two, true, two, none},      {one, one, none, true, none, one},
      {edited, one, two, false, edited, none}, {edited, none, two, false, edited, none}, {edited, one, none, false, edited, none},
      {none, one, two, false, none, none},     {none, one, none, true, none, none},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.there.value_or("-") + c.expected.value_or("-") + c.wanted.value_or("-"));
    write("deep/a.md", c.there);
    write("backup/a.md", none);
    const auto done = replace_beneath(root_.get(), "deep/a.md", c.expected, c.wanted, "backup/a.md");
    ASSERT_TRUE(done) << done.error().message;
    EXPECT_EQ(*done, c.done);
    EXPECT_EQ(read("deep/a.md"), c.after);
    EXPECT_EQ(read("backup/a.md"), c.backup);
    EXPECT_EQ(strays(), 0U);
  }
}

TEST_F(GuardedReplace, ALinkIsNotWhatWasExpected) {
  write("a.md", "one\n");
  fs::create_symlink("a.md", home_.path() / "link.md");
  fs::create_hard_link(home_.path() / "a.md", home_.path() / "second.md");
  for (const std::string name : {"link.md", "second.md"}) {
    EXPECT_FALSE(*replace_beneath(root_.get(), name, "one\n", "two\n", "backup/" + name));
    EXPECT_FALSE(*replace_beneath(root_.get(), name, "one\n", std::nullopt, "backup/" + name));
  }
  EXPECT_TRUE(fs::is_symlink(home_.path() / "link.md"));
  EXPECT_EQ(read("a.md"), "one\n");
}

// An editor saves version after version while they are replaced: each is in the end somewhere.
TEST_F(GuardedReplace, LosesNoSaveHoweverClose) {
  constexpr int rounds = 300;
  fs::create_directories(home_.path() / "backup");
  write("a.md", "0\n");
  Thread editor("editor", [&] { write_beneath(root_.get(), "a.md", "saved by hand\n").value(); });
  int done = 0, displaced = 0;
  for (int i = 0; i < rounds; ++i) {
    const auto replaced = replace_beneath(root_.get(), "a.md", std::to_string(done) + "\n", std::to_string(i + 1) + "\n", "backup/" + std::to_string(i));
    ASSERT_TRUE(replaced) << replaced.error().message;
    if (*replaced) done = i + 1;
    else break;
  }
  editor.join();
  for (const auto& entry : fs::directory_iterator(home_.path() / "backup")) displaced += entry.path().extension() == ".displaced" ? 1 : 0;
  EXPECT_TRUE(read("a.md") == "saved by hand\n" || displaced > 0) << *read("a.md");
  EXPECT_EQ(strays(), 0U);
}

}  // namespace
}  // namespace hearth::session
