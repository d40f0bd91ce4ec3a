#include "hearth/experiment/ledger.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

namespace hearth::experiment {
namespace {

std::string some_time() { return "2026-04-23T09:00:00Z"; }

class LedgerFile : public testing::Test {
 protected:
  std::filesystem::path path() const { return folder_.path() / "ledger.jsonl"; }
  std::string text() const { return read_text_file(path(), ledger_bytes_max).value(); }
  void write(std::string_view text) const { std::ofstream(path(), std::ios::trunc) << text; }
  void fill() const {
    auto ledger = Ledger::open(path(), some_time).value();
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(ledger.append("step_began", Json::object({{"step", std::to_string(i)}})));
  }
  TemporaryDirectory folder_ = TemporaryDirectory::create("hearth-ledger").value();
};

TEST_F(LedgerFile, WhatWasAppendedIsThereAgain) {
  fill();
  auto ledger = Ledger::open(path(), some_time).value();
  ASSERT_EQ(ledger.events().size(), 3u);
  EXPECT_EQ(ledger.events()[2].kind, "step_began");
  EXPECT_EQ(*ledger.events()[2].facts.find("step"), Json("2"));
  EXPECT_EQ(ledger.events()[2].time, some_time());
  EXPECT_TRUE(ledger.append("gate", Json::object()));
}

// Whatever was on its way when the process was killed.
TEST_F(LedgerFile, ALastLineThatWasCutIsDroppedAtEveryByte) {
  fill();
  const std::string whole = text();
  const std::size_t last = whole.rfind('\n', whole.size() - 2) + 1;
  for (std::size_t length = last; length < whole.size(); ++length) {
    write(whole.substr(0, length));
    auto ledger = Ledger::open(path(), some_time);
    ASSERT_TRUE(ledger) << length << ledger.error().message;
    ASSERT_EQ(ledger->events().size(), 2u) << length;
    ASSERT_TRUE(ledger->append("step_began", Json::object({{"step", "2"}})));
    ASSERT_EQ(text(), whole) << length;
  }
}

TEST_F(LedgerFile, AnyChangeIsNoticed) {
  fill();
  const std::string whole = text();
  const std::size_t last = whole.rfind('\n', whole.size() - 2) + 1;
  std::size_t noticed = 0;
  for (std::size_t i = 0; i < last; ++i) {
    std::string changed = whole;
    changed[i] = changed[i] == 'x' ? 'y' : 'x';
    noticed += !read_ledger(changed, "ledger");
  }
  EXPECT_EQ(noticed, last);
  const std::string without_first = whole.substr(whole.find('\n') + 1);
  const auto error = read_ledger(without_first, "ledger");
  ASSERT_FALSE(error);
  EXPECT_EQ(error.error().code, Code::corrupt);
  EXPECT_NE(error.error().message.find("ledger:1"), std::string::npos);
}

TEST_F(LedgerFile, TheNextLineHasItsPlaceOnTheDiskBeforeItIsWritten) {
  fill();
  const std::string before = text();
  auto ledger = Ledger::open(path(), some_time).value();
  ASSERT_TRUE(ledger.reserve_next_line());
  EXPECT_EQ(text(), before);
  struct stat status {};
  ASSERT_EQ(::stat(path().c_str(), &status), 0);
  constexpr std::uint64_t stat_block_bytes = 512;
  if (const std::uint64_t held = static_cast<std::uint64_t>(status.st_blocks) * stat_block_bytes; held < before.size() + reserved_line_bytes) {
    GTEST_SKIP() << "the file system reserves nothing: " << held << " bytes";
  }
  ASSERT_TRUE(ledger.append("step_ended", Json::object()));
  ASSERT_EQ(::stat(path().c_str(), &status), 0);
  EXPECT_GE(static_cast<std::uint64_t>(status.st_blocks) * stat_block_bytes, before.size() + reserved_line_bytes);
  EXPECT_EQ(Ledger::look(path()).value().events().size(), 4u);
}

TEST_F(LedgerFile, OthersMayLookWhileItRuns) {
  const auto none = Ledger::look(path());
  ASSERT_TRUE(none) << none.error().message;
  EXPECT_TRUE(none->events().empty());
  fill();
  EXPECT_FALSE(Ledger::look(path())->is_written_elsewhere());
  const auto running = Ledger::open(path(), some_time);
  ASSERT_TRUE(running);
  const auto looking = Ledger::look(path());
  ASSERT_TRUE(looking) << looking.error().message;
  EXPECT_EQ(looking->events().size(), running->events().size());
  EXPECT_TRUE(looking->is_written_elsewhere());
}

TEST_F(LedgerFile, OneProcessRunsAnExperiment) {
  auto first = Ledger::open(path(), some_time);
  ASSERT_TRUE(first);
  const auto second = Ledger::open(path(), some_time);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Code::unavailable);
}

}  // namespace
}  // namespace hearth::experiment
