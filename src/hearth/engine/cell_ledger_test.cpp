#include "hearth/engine/cell_ledger.h"

#include <gtest/gtest.h>

#include <set>

#include "hearth/base/random.h"

namespace hearth::engine {
namespace {

std::uint64_t used(const CellLedger& ledger, std::size_t sequences) {
  CellRuns all;
  for (std::size_t i = 0; i < sequences; ++i) {
    all.insert(all.end(), ledger.runs(i).begin(), ledger.runs(i).end());
  }
  return count_cells(std::move(all));
}

TEST(CellLedger, SharedCellsLiveUntilTheLastHolderLetsGo) {
  CellLedger ledger(2);
  ledger.append(0, 100);
  ledger.share(0, 1, 60);
  EXPECT_EQ(used(ledger, 2), 100u);
  ledger.truncate(0, 0);
  EXPECT_EQ(used(ledger, 2), 60u);
  ledger.truncate(1, 10);
  EXPECT_EQ(used(ledger, 2), 10u);
}

TEST(CellLedger, WhatBothHoldersAppendIsNotShared) {
  CellLedger ledger(2);
  ledger.append(0, 100);
  ledger.share(0, 1, 100);
  ledger.append(0, 7);
  ledger.append(1, 5);
  EXPECT_EQ(used(ledger, 2), 112u);
}

TEST(CellLedger, ALongConversationStaysOneRun) {
  CellLedger ledger(2);
  for (int turn = 0; turn < 1'000; ++turn) {
    ledger.append(0, 10);
    ledger.truncate(0, ledger.runs(0).back().end - 1);
    ledger.share(0, 1, 5);
  }
  EXPECT_EQ(ledger.runs(0).size(), 1u);
}

// Against a ledger that has a number for each single cell.
TEST(CellLedger, CountsLikeALedgerOfSingleCells) {
  constexpr std::size_t sequences = 4;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    CellLedger ledger(sequences);
    std::vector<std::vector<int>> single(sequences);
    int next_cell = 0;
    for (int step = 0; step < 60; ++step) {
      const std::size_t sequence = random.below(sequences);
      const auto length = static_cast<std::uint32_t>(random.below(single[sequence].size() + 1));
      const std::size_t other = (sequence + 1 + random.below(sequences - 1)) % sequences;
      switch (random.below(3)) {
        case 0:
          ledger.append(sequence, length % 9);
          for (std::uint32_t i = 0; i < length % 9; ++i) single[sequence].push_back(next_cell++);
          ledger.append(sequence, 3);
          for (int i = 0; i < 3; ++i) single[sequence].push_back(next_cell++);
          break;
        case 1:
          ledger.truncate(sequence, length);
          single[sequence].resize(length);
          break;
        default:
          ledger.share(sequence, other, length);
          single[other] = {single[sequence].begin(), single[sequence].begin() + length};
      }
      std::set<int> distinct;
      for (const auto& cells : single) distinct.insert(cells.begin(), cells.end());
      ASSERT_EQ(used(ledger, sequences), distinct.size());
    }
  }
}

}  // namespace
}  // namespace hearth::engine
