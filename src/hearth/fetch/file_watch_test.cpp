#include "hearth/fetch/file_watch.h"

#include <gtest/gtest.h>

#include <fstream>

#include "hearth/base/file.h"
#include "hearth/base/sha256.h"

namespace hearth::fetch {
namespace {

namespace fs = std::filesystem;

class FileWatchTest : public testing::Test {
 protected:
  void SetUp() override {
    std::ofstream(file()) << "abcdef";
    std::ofstream(folder_.path() / "other") << "other";
  }
  fs::path file() const { return folder_.path() / "file"; }
  FileWatch begin() const {
    return FileWatch::begin({file(), folder_.path() / "other"}, DigestMemory::open({}), {}, {}).value();
  }
  // A clock of the system may stand still for some milliseconds: until the change has a time of its own.
  template <class Action>
  void change(const Action& action) const {
    const FileStamp before = stamp_of(file()).value();
    for (int i = 0; i < 100'000 && stamp_of(file()).value() == before; ++i) action();
  }
  void write(std::string_view text) const { std::ofstream(file(), std::ios::trunc) << text; }

  TemporaryDirectory folder_ = TemporaryDirectory::create("hearth-watch").value();
};

TEST_F(FileWatchTest, KnowsEachFileByItsDigest) {
  FileWatch watch = begin();
  ASSERT_EQ(watch.files().size(), 2U);
  EXPECT_EQ(watch.files()[0].sha256, sha256(as_byte_span("abcdef")));
  EXPECT_EQ(watch.files()[0].stamp.bytes, 6U);
  EXPECT_TRUE(watch.look({}));
}

TEST_F(FileWatchTest, AFileThatWasOnlyTouchedStays) {
  FileWatch watch = begin();
  change([&] { fs::last_write_time(file(), fs::last_write_time(file()) + std::chrono::seconds(1)); });
  EXPECT_TRUE(watch.look({}));
  change([&] {  // the same content in a file of its own
    fs::copy_file(file(), folder_.path() / "copy", fs::copy_options::overwrite_existing);
    fs::rename(folder_.path() / "copy", file());
  });
  EXPECT_TRUE(watch.look({}));
  EXPECT_EQ(watch.files()[0].stamp, stamp_of(file()).value()) << "it is not read again each time";
}

TEST_F(FileWatchTest, OtherContentIsSeenThoughSizeAndTimeOfModificationAreTheOldOnes) {
  FileWatch watch = begin();
  const auto modified = fs::last_write_time(file());
  change([&] {
    write("abcdeg");
    fs::last_write_time(file(), modified);
  });
  const auto seen = watch.look({});
  ASSERT_FALSE(seen);
  EXPECT_EQ(seen.error().code, Code::corrupt);
  EXPECT_NE(seen.error().message.find("file is not what it was: its SHA-256 was"), std::string::npos) << seen.error().message;
}

TEST_F(FileWatchTest, AFileThatIsGoneIsNotWhatItWas) {
  FileWatch watch = begin();
  fs::remove(folder_.path() / "other");
  const auto seen = watch.look({});
  ASSERT_FALSE(seen);
  EXPECT_EQ(seen.error().code, Code::corrupt);
  EXPECT_FALSE(FileWatch::begin({folder_.path() / "other"}, DigestMemory::open({}), {}, {}));
}

TEST_F(FileWatchTest, WhoeverStopsGetsNoVerdict) {
  FileWatch watch = begin();
  change([&] { write("abcdeg"); });
  StopSource stop;
  stop.request_stop();
  const auto seen = watch.look(stop.token());
  ASSERT_FALSE(seen);
  EXPECT_EQ(seen.error().code, Code::cancelled);
}

}  // namespace
}  // namespace hearth::fetch
