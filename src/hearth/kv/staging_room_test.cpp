#include "hearth/kv/staging_room.h"

#include <gtest/gtest.h>

#include <optional>
#include <utility>
#include <vector>

#include "hearth/base/random.h"
#include "hearth/kv/sync.h"
#include "hearth/kv/test_support.h"

namespace hearth::kv {
namespace {

using Room = std::shared_ptr<StagingRoom>;

StagingRoom::Share share_of(const Room& room, std::uint64_t chunk_bytes) {
  return StagingRoom::open(room, chunk_bytes).value();
}

// How many chunks of ten bytes it takes until it is told to wait.
std::uint32_t fill(StagingRoom::Share& share) {
  std::uint32_t taken = 0;
  while (share.take(10)) ++taken;
  return taken;
}

TEST(StagingRoom, OneAloneLeavesHalfOfItFree) {
  const Room room = std::make_shared<StagingRoom>(100);
  auto one = share_of(room, 10);
  EXPECT_EQ(fill(one), 5u);
  EXPECT_EQ(room->held_bytes(), 50u);
}

TEST(StagingRoom, WhoeverHasImportedAllItHeldGetsTheNextChunkHoweverFullItIs) {
  struct Holder {
    StagingRoom::Share share;
    std::uint32_t chunks;
  };
  const Room room = std::make_shared<StagingRoom>(100);
  std::vector<Holder> holders;
  while (true) {
    auto opened = StagingRoom::open(room, 10);
    if (!opened) break;
    const std::uint32_t chunks = fill(*opened);
    holders.push_back({*std::move(opened), chunks});
  }
  EXPECT_GE(holders.size(), 4u);
  EXPECT_EQ(room->held_bytes(), 100u);
  for (Holder& holder : holders) {
    EXPECT_FALSE(holder.share.take(10));
    holder.share.give_back(std::uint64_t{10} * holder.chunks);
    for (Holder& other : holders) {
      if (&other != &holder) other.chunks += fill(other.share);
    }
    EXPECT_TRUE(holder.share.take(10));
    holder.chunks = 1;
  }
}

TEST(StagingRoom, ALateOneIsNotKeptOutByThoseThatCameFirst) {
  const Room room = std::make_shared<StagingRoom>(120);
  auto first = share_of(room, 10);
  auto second = share_of(room, 10);
  fill(first);
  fill(second);
  auto late = share_of(room, 10);
  EXPECT_TRUE(late.take(10));
  EXPECT_FALSE(first.take(10));
}

TEST(StagingRoom, WhatIsPromisedToEveryoneIsTheBound) {
  const Room room = std::make_shared<StagingRoom>(35);
  auto first = share_of(room, 10);
  auto second = share_of(room, 10);
  auto third = share_of(room, 10);
  const auto fourth = StagingRoom::open(room, 10);
  ASSERT_FALSE(fourth);
  EXPECT_EQ(fourth.error().code, Code::resource_exhausted);
  EXPECT_NE(fourth.error().message.find("30 of 35 bytes"), std::string::npos) << fourth.error().message;
  for (StagingRoom::Share* share : {&first, &second, &third}) {
    EXPECT_TRUE(share->take(10));
    EXPECT_FALSE(share->take(10)) << "the rest is promised or too little";
  }
  third = StagingRoom::Share();
  EXPECT_TRUE(StagingRoom::open(room, 10));
}

TEST(StagingRoom, AShareThatGoesGivesEverythingBack) {
  const Room room = std::make_shared<StagingRoom>(100);
  {
    auto share = share_of(room, 20);
    EXPECT_EQ(room->promised_bytes(), 20u);
    EXPECT_TRUE(share.take(15));
    EXPECT_EQ(room->held_bytes(), 15u);
    EXPECT_EQ(room->promised_bytes(), 5u);
    StagingRoom::Share moved = std::move(share);
    EXPECT_EQ(room->held_bytes(), 15u);
    moved.end_promise();
    EXPECT_EQ(room->promised_bytes(), 0u);
    moved.give_back(5);
    EXPECT_EQ(room->promised_bytes(), 0u) << "what it gives back is promised to it no more";
  }
  EXPECT_EQ(room->held_bytes(), 0u);
}

TEST(StagingRoom, WithoutARoomEverythingFits) {
  auto share = StagingRoom::open(nullptr, 1ull << 40).value();
  EXPECT_TRUE(share.take(1ull << 40));
  share.give_back(1ull << 40);
}

// Whatever happens in whatever order.
TEST(StagingRoom, IsNeverBeyondItsBoundAndNeverKeepsAnEmptyHandWaiting) {
  Random random(7);
  const Room room = std::make_shared<StagingRoom>(1'000);
  struct Holder {
    StagingRoom::Share share;
    std::vector<std::uint64_t> chunks;
  };
  std::vector<Holder> holders;
  for (int step = 0; step < 20'000; ++step) {
    const std::uint64_t what = random.below(10);
    if (what == 0) {
      if (auto opened = StagingRoom::open(room, 100)) holders.push_back({*std::move(opened), {}});
    } else if (what == 1 && !holders.empty()) {
      holders.erase(holders.begin() + static_cast<std::ptrdiff_t>(random.below(holders.size())));
    } else if (!holders.empty()) {
      Holder& holder = holders[random.below(holders.size())];
      if (what < 7) {
        const std::uint64_t bytes = 1 + random.below(100);
        const bool has_taken = holder.share.take(bytes);
        ASSERT_TRUE(has_taken || !holder.chunks.empty()) << step;
        if (has_taken) holder.chunks.push_back(bytes);
      } else if (!holder.chunks.empty()) {
        holder.share.give_back(holder.chunks.front());
        holder.chunks.erase(holder.chunks.begin());
      }
    }
    std::uint64_t held = 0;
    for (const Holder& holder : holders) {
      for (const std::uint64_t bytes : holder.chunks) held += bytes;
    }
    ASSERT_EQ(room->held_bytes(), held);
    ASSERT_LE(room->held_bytes() + room->promised_bytes(), 1'000u);
  }
  holders.clear();
  EXPECT_EQ(room->held_bytes() + room->promised_bytes(), 0u);
}

// Two transfers through one room: the receivers' own bounds are far away.
TEST(StagingRoom, BoundsWhatAllReceiversStageTogether) {
  const TestChain chains[] = {test_chain(1, 80, 10), test_chain(2, 80, 10)};
  const std::uint64_t one = chunk_bytes(chains[0].chunks[0]->header);
  const Room room = std::make_shared<StagingRoom>(4 * one);
  std::vector<ChunkReceiver> receivers;
  for (const TestChain& chain : chains) {
    receivers.push_back(ChunkReceiver::create({chain.layout, chain.keys(), chain.ranges()},
                                              {.chunk_bytes = one, .room = room}).value());
  }
  EXPECT_EQ(room->promised_bytes(), 2 * one);
  const auto put = [&](std::size_t which, std::size_t index) -> std::optional<Refusal> {
    const SharedChunk& chunk = chains[which].chunks[index];
    const auto reservation = receivers[which].admit(chunk->header.key, chunk_bytes(chunk->header));
    if (!reservation) return reservation.error();
    const auto staged = receivers[which].on_body(*reservation, chunk);
    return staged ? std::nullopt : std::optional(staged.error());
  };
  EXPECT_EQ(put(0, 0), std::nullopt);
  EXPECT_EQ(put(0, 1), Refusal::busy) << "more than it would leave free";
  for (std::uint32_t index = 0; index < 8; ++index) {
    EXPECT_EQ(put(1, index), std::nullopt) << "its turn comes however full the other one is";
    ASSERT_TRUE(std::holds_alternative<ImportStaged>(receivers[1].next()));
    receivers[1].on_imported(index);
  }
  EXPECT_EQ(room->promised_bytes(), 0u) << "the second one is complete, the first one holds its chunk";
  EXPECT_EQ(put(0, 1), std::nullopt) << "alone it has half of the room";
  const auto reservation = receivers[1].admit(chains[1].keys()[0], one);
  EXPECT_EQ(reservation.error(), Refusal::duplicate);
  receivers[0].cancel();
  EXPECT_EQ(room->held_bytes(), 0u);
}

}  // namespace
}  // namespace hearth::kv
