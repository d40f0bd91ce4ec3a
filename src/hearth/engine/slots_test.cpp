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

void hold(SlotTable& table, std::size_t slot, const std::vector<Token>& content) {
  table.append(slot, content);
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

// Slot 3 wants `total` cells, none of them there yet. Slots 0 to 2 hold what the case says; slots
// 1 and 2 may begin with cells of slot 0.
struct RoomCase {
  const char* name;
  std::uint32_t lengths[3];
  std::uint32_t shared[3];    // of slot 0's cells
  std::uint32_t promised[3];  // 0: idle
  std::uint32_t total;
  std::optional<std::vector<std::size_t>> evict;
};

constexpr std::uint32_t room_context = 1'000;
using Slots = std::vector<std::size_t>;

const RoomCase room_cases[] = {
    {"unshared cells add up", {300, 300, 300}, {}, {}, 101, Slots{0}},
    {"unshared cells just fit", {300, 300, 300}, {}, {}, 100, Slots{}},
    {"a shared prefix counts once", {300, 400, 400}, {0, 300, 300}, {}, 500, Slots{}},
    {"one cell more is too many", {300, 400, 400}, {0, 300, 300}, {}, 501, Slots{1}},
    {"a slot whose cells others hold frees none", {300, 300, 600}, {0, 300, 0}, {0, 300, 0}, 300,
     Slots{2}},
    {"sharers go together where their cells are wanted", {500, 500, 300}, {0, 500, 0},
     {0, 0, 400}, 300, Slots{0, 1}},
    {"only what nobody else holds is freed", {500, 600, 0}, {0, 500, 0}, {500, 0, 0}, 450, Slots{1}},
    {"shared cells of a busy slot stay", {500, 600, 0}, {0, 500, 0}, {500, 0, 0}, 501, {}},
    {"promised cells are never shared", {500, 500, 0}, {0, 500, 0}, {600, 600, 0}, 300, Slots{}},
    {"promised cells are kept", {500, 500, 0}, {0, 500, 0}, {600, 600, 0}, 301, {}},
    {"an older short slot stays when a longer one must go", {50, 600, 300}, {}, {}, 600, Slots{1}},
};

TEST(SlotTable, MakesRoomCountingEachCellOnce) {
  for (const RoomCase& each : room_cases) {
    SCOPED_TRACE(each.name);
    SlotTable table(4, room_context);
    for (std::size_t i = 0; i < 3; ++i) {
      if (each.shared[i] > 0) table.share(0, i, each.shared[i]);
      table.append(i, tokens(each.lengths[i] - each.shared[i], static_cast<Token>(i * 10'000)));
      table[i].busy = each.promised[i] > 0;
      table[i].reserved_tokens = each.promised[i];
      table.touch(i);
    }
    EXPECT_EQ(table.make_room(3, 0, each.total), each.evict);
  }
}

TEST(SlotTable, ASharedPrefixNeedsNoCellsOfItsOwn) {
  SlotTable table(2, 1'000);
  hold(table, 0, tokens(800));
  table[0].busy = true;
  table[0].reserved_tokens = 900;
  EXPECT_TRUE(table.place(tokens(800), 900));
  EXPECT_FALSE(table.place(tokens(800), 901));
}

TEST(SlotTable, AnEvictedSourceLeavesItsPrefixToTheNewcomer) {
  SlotTable table(2, 1'000);
  hold(table, 0, tokens(800));
  auto side = tokens(400);
  side.push_back(777'777);
  const auto placement = table.place(side, 500);
  ASSERT_TRUE(placement);
  EXPECT_EQ(placement->share_from, 0u);
  EXPECT_EQ(placement->keep_tokens, 400u);
  EXPECT_TRUE(placement->evict.empty());
  const auto larger = table.place(side, 700);
  ASSERT_TRUE(larger);
  EXPECT_EQ(larger->share_from, 0u);
  EXPECT_EQ(larger->evict, Slots{0});
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
