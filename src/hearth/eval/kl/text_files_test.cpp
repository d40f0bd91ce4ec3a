#include "hearth/eval/kl/text_files.h"

#include <gtest/gtest.h>

#include <fstream>

#include "hearth/base/file.h"

namespace hearth::eval {
namespace {

class KlTexts : public ::testing::Test {
 protected:
  std::filesystem::path write(const std::string& name, std::string_view text) {
    const auto path = directory_.path() / name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << text;
    return path;
  }
  Result<std::vector<TextFile>> read() const {
    const std::vector<std::filesystem::path> paths = {directory_.path()};
    return read_text_files(paths);
  }
  TemporaryDirectory directory_ = TemporaryDirectory::create("hearth-kl-test").value();
};

TEST_F(KlTexts, TakeTheirClassFromTheFolder) {
  write("writing/a.txt", "one");
  write("writing/deep/b.md", "two");
  write("code/c.py", "three");
  write("loose.txt", "four");
  write("talk/day.jsonl", "{\"a\":1}\n\n{\"b\":2}");
  write(".git/config", "hidden");
  write("empty.txt", " \n");
  std::filesystem::create_symlink("/etc", directory_.path() / "link");
  const auto found = read().value();
  std::vector<std::string> seen;
  for (const TextFile& file : found) {
    seen.push_back(file.text_class + " " + file.name + (file.is_transcript ? " transcript" : ""));
  }
  EXPECT_EQ(seen, (std::vector<std::string>{"code code/c.py", "text loose.txt",
                                            "talk talk/day.jsonl:1 transcript",
                                            "talk talk/day.jsonl:3 transcript",
                                            "writing writing/a.txt", "writing writing/deep/b.md"}));
}

TEST_F(KlTexts, RefuseABinaryFileByName) {
  write("picture.png", "\x89PNG\xff\xfe");
  const auto refused = read();
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("picture.png"), std::string::npos);
}

TEST_F(KlTexts, RefuseNothingAtAll) {
  EXPECT_FALSE(read());
  const std::vector<std::filesystem::path> missing = {directory_.path() / "nowhere"};
  EXPECT_FALSE(read_text_files(missing));
}

TEST_F(KlTexts, HaveADigestThatAnyChangeChanges) {
  write("a.txt", "one");
  const auto before = digest_of(read().value());
  write("a.txt", "two");
  EXPECT_NE(digest_of(read().value()), before);
  write("a.txt", "one");
  EXPECT_EQ(digest_of(read().value()), before);
}

}  // namespace
}  // namespace hearth::eval
