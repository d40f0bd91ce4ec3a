#include "hearth/seal/chained_log.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>

#include <algorithm>

namespace hearth::seal {
namespace {

namespace fs = std::filesystem;

Json record(int i) { return Json::object({{"what", "event " + std::to_string(i)}, {"i", i}}); }

class ChainedLogTest : public testing::Test {
 protected:
  void SetUp() override {
    directory_.emplace(TemporaryDirectory::create("chained").value());
    path_ = directory_->path() / "audit.jsonl";
  }
  void write(int count) {
    auto log = ChainedLog::open(path_, "key").value();
    for (int i = 0; i < count; ++i) ASSERT_TRUE(log.append(record(i)));
  }
  std::vector<std::string> lines() {
    std::vector<std::string> out;
    std::string text = read_text_file(path_, 1 << 20).value();
    for (std::size_t at = 0; at < text.size();) {
      const auto end = text.find('\n', at);
      out.push_back(text.substr(at, end - at));
      at = end + 1;
    }
    return out;
  }
  void put(const std::vector<std::string>& lines) {
    std::string text;
    for (const auto& line : lines) text += line + "\n";
    const ByteSpan part = as_byte_span(text);
    ASSERT_TRUE(real_file_system()->write_atomically(path_, std::span(&part, 1), Durability::survives_process));
  }
  std::optional<TemporaryDirectory> directory_;
  fs::path path_;
};

TEST_F(ChainedLogTest, ReadsBackWhatWasWrittenAndGoesOn) {
  write(3);
  std::vector<std::int64_t> seen;
  auto log = ChainedLog::open(path_, "key", [&](const Json& r) { seen.push_back(r.find("i")->as_integer()); }).value();
  EXPECT_EQ(seen, (std::vector<std::int64_t>{0, 1, 2}));
  ASSERT_TRUE(log.append(record(3)));
  EXPECT_EQ(log.head().records, 4);
  EXPECT_TRUE(verify_chained_log(path_, "key").value().is_sound());
}

TEST_F(ChainedLogTest, NamesTheFirstBadLine) {
  write(6);
  const auto sound = lines();
  struct Case {
    std::string name;
    std::function<void(std::vector<std::string>&)> spoil;
    std::uint64_t first_bad;
  };
  const std::vector<Case> cases = {
      {"flipped", [](auto& l) { std::ranges::replace(l[2], '2', '7'); }, 3},
      {"dropped", [](auto& l) { l.erase(l.begin() + 3); }, 4},
      {"moved", [](auto& l) { std::swap(l[1], l[4]); }, 2},
      {"repeated", [](auto& l) { l.insert(l.begin() + 2, l[1]); }, 3},
      {"cut", [](auto& l) { l.resize(4); }, 5},
      {"emptied", [](auto& l) { l.clear(); }, 1},
      {"rubbish", [](auto& l) { l[0] = "hello"; }, 1},
      {"longer", [](auto& l) { l.push_back(l[5]); }, 7},
  };
  for (const Case& c : cases) {
    auto spoiled = sound;
    c.spoil(spoiled);
    put(spoiled);
    const auto report = verify_chained_log(path_, "key").value();
    EXPECT_EQ(report.first_bad_line, c.first_bad) << c.name << ": " << report.what;
    const auto opened = ChainedLog::open(path_, "key");
    ASSERT_FALSE(opened) << c.name;
    EXPECT_EQ(opened.error().code, Code::corrupt);
  }
}

TEST_F(ChainedLogTest, EveryFlippedBitIsFound) {
  write(3);
  const std::string sound = read_text_file(path_, 1 << 20).value();
  const ChainHead head = verify_chain(sound, nullptr, "key").head;
  for (std::size_t at = 0; at < sound.size(); ++at) {
    std::string spoiled = sound;
    spoiled[at] = static_cast<char>(spoiled[at] ^ 1);
    const auto report = verify_chain(spoiled, &head, "key");
    const auto line = static_cast<std::uint64_t>(std::count(sound.begin(), sound.begin() + static_cast<long>(at), '\n')) + 1;
    EXPECT_FALSE(report.is_sound()) << at;
    EXPECT_EQ(report.first_bad_line, line) << at;
  }
}

TEST_F(ChainedLogTest, AnotherKeyMakesAnotherChain) {
  write(2);
  EXPECT_EQ(verify_chained_log(path_, "other").value().first_bad_line, 1);
}

TEST_F(ChainedLogTest, ATornLastLineIsCutOff) {
  write(2);
  std::string text = read_text_file(path_, 1 << 20).value() + "{\"n\":3,\"rec";
  const ByteSpan part = as_byte_span(text);
  ASSERT_TRUE(real_file_system()->write_atomically(path_, std::span(&part, 1), Durability::survives_process));
  auto log = ChainedLog::open(path_, "key").value();
  ASSERT_TRUE(log.append(record(2)));
  EXPECT_TRUE(verify_chained_log(path_, "key").value().is_sound());
  EXPECT_EQ(lines().size(), 3);
}

// A folder in its place: the head cannot be renamed to.
TEST_F(ChainedLogTest, AHeadThatCannotBeWrittenIsCaughtUpWithFirst) {
  write(2);
  const fs::path head = path_.string() + ".head";
  ASSERT_TRUE(fs::exists(head));
  auto log = ChainedLog::open(path_, "key").value();
  fs::remove(head);
  fs::create_directories(head / "in the way");
  EXPECT_FALSE(log.append(record(2)));
  EXPECT_FALSE(log.append(record(3)));
  EXPECT_EQ(lines().size(), 3u) << "one line that the head does not know, not two";
  fs::remove_all(head);
  ASSERT_TRUE(log.append(record(3)));
  EXPECT_TRUE(verify_chained_log(path_, "key").value().is_sound());
  EXPECT_EQ(lines().size(), 4u);
}

// The system lets the file grow by a few bytes only: half a line arrives and must go again.
TEST_F(ChainedLogTest, ALineThatDoesNotFitLeavesNothing) {
  write(2);
  auto log = ChainedLog::open(path_, "key").value();
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const rlimit small{fs::file_size(path_) + 20, before.rlim_max};
  const auto handler = ::signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const auto refused = log.append(record(2));
  ::setrlimit(RLIMIT_FSIZE, &before);
  ::signal(SIGXFSZ, handler);
  EXPECT_FALSE(refused);
  EXPECT_EQ(log.head().records, 2);
  ASSERT_TRUE(log.append(record(2)));
  EXPECT_TRUE(verify_chained_log(path_, "key").value().is_sound());
}

}  // namespace
}  // namespace hearth::seal
