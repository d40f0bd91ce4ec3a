#include "hearth/engine/slots.h"

#include <gtest/gtest.h>

#include <numeric>

namespace hearth::engine {
namespace {

std::vector<Token> tokens(std::size_t count, Token first = 0) {
  std::vector<Token> out(count);
  std::iota(out.begin(), out.end(), first);
  return out;
}

void hold(SlotTable& table, std::size_t slot, std::vector<Token> content) {
  table[slot].tokens = std::move(content);
  table.touch(slot);
}

TEST(SlotTable, ContinuesTheLongestPrefixInPlace) {
  SlotTable table(3, 10'000);
  hold(table, 0, tokens(50));
  hold(table, 1, tokens(100));
  const auto placement = table.place(tokens(200), 300);
  ASSERT_TRUE(placement);
  EXPECT_EQ(placement->slot, 1u);
  EXPECT_EQ(placement->keep_tokens, 100u);
  EXPECT_FALSE(placement->share_from);
}

TEST(SlotTable, SideRequestSharesInsteadOfCuttingALongConversation) {
  SlotTable table(2, 100'000);
  hold(table, 0, tokens(5'000));
  auto side = tokens(100);
  side.push_back(777'777);
  const auto placement = table.place(side, 150);
  ASSERT_TRUE(placement);
  EXPECT_EQ(placement->slot, 1u);
  EXPECT_EQ(placement->share_from, 0u);
  EXPECT_EQ(placement->keep_tokens, 100u);
}

TEST(SlotTable, SideRequestTakesAShortSlotBeforeALongOne) {
  SlotTable table(2, 100'000);
  hold(table, 0, tokens(5'000));          // least recently used, but long
  hold(table, 1, tokens(60, 900'000));
  const auto placement = table.place(tokens(50, 500'000), 100);
  ASSERT_TRUE(placement);
  EXPECT_EQ(placement->slot, 1u);
}

TEST(SlotTable, SharesFromABusySlot) {
  SlotTable table(2, 10'000);
  hold(table, 0, tokens(400));
  table[0].busy = true;
  table[0].reserved_tokens = 500;
  const auto placement = table.place(tokens(400), 450);
  ASSERT_TRUE(placement);
  EXPECT_EQ(placement->slot, 1u);
  EXPECT_EQ(placement->share_from, 0u);
}

TEST(SlotTable, EvictsIdleSlotsForCellsLeastRecentlyUsedFirst) {
  SlotTable table(4, 1'000);
  hold(table, 0, tokens(300, 10'000));
  hold(table, 1, tokens(300, 20'000));
  hold(table, 2, tokens(300, 30'000));
  const auto placement = table.place(tokens(200), 400);
  ASSERT_TRUE(placement);
  EXPECT_EQ(placement->slot, 3u);
  EXPECT_EQ(placement->evict, (std::vector<std::size_t>{0}));
}

TEST(SlotTable, RefusesWhenCellsArePromised) {
  SlotTable table(2, 1'000);
  table[0].busy = true;
  table[0].reserved_tokens = 800;
  EXPECT_FALSE(table.place(tokens(10), 300));
  EXPECT_TRUE(table.place(tokens(10), 200));
}

TEST(SlotTable, RefusesWhenEverySlotIsTaken) {
  SlotTable table(1, 1'000);
  table[0].lease = LeaseId{1};
  EXPECT_FALSE(table.place(tokens(10), 20));
}

}  // namespace
}  // namespace hearth::engine
