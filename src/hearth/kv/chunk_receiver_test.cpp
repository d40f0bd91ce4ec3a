#include "hearth/kv/chunk_receiver.h"

#include <functional>

#include "hearth/kv/sync.h"
#include "hearth/kv/test_support.h"

namespace hearth::kv {
namespace {

class ChunkReceiverTest : public ::testing::Test {
 protected:
  ChunkReceiver receiver(ReceiverLimits limits = {}) const {
    return ChunkReceiver::create({chain_.layout, chain_.keys(), chain_.ranges()}, limits).value();
  }
  static std::expected<Reservation, Refusal> admit(ChunkReceiver& to, const SharedChunk& chunk) {
    return to.admit(chunk->header.key, chunk_bytes(chunk->header));
  }
  static std::expected<std::uint32_t, Refusal> put(ChunkReceiver& to, const SharedChunk& chunk) {
    return put_as(chunk->header.key, to, chunk);
  }
  static std::expected<std::uint32_t, Refusal> put_as(const ChunkKey& key, ChunkReceiver& to, const SharedChunk& chunk) {
    const auto reservation = to.admit(key, chunk_bytes(chunk->header));
    if (!reservation) return std::unexpected(reservation.error());
    return to.on_body(*reservation, chunk);
  }
  static void import_next(ChunkReceiver& from, std::uint32_t index) {
    const ReceiveAction action = from.next();
    ASSERT_TRUE(std::holds_alternative<ImportStaged>(action)) << action.index();
    EXPECT_EQ(std::get<ImportStaged>(action).index, index);
    EXPECT_TRUE(std::holds_alternative<AwaitChunks>(from.next())) << "one import at a time";
    from.on_imported(index);
  }

  TestChain chain_ = test_chain(1, 40, 10);
};

TEST_F(ChunkReceiverTest, ImportsInOrderAsChunksArrive) {
  ChunkReceiver to = receiver();
  EXPECT_EQ(to.missing(), chain_.keys());
  for (std::uint32_t i = 0; i < 4; ++i) {
    EXPECT_TRUE(std::holds_alternative<AwaitChunks>(to.next()));
    EXPECT_EQ(put(to, chain_.chunks[i]), i);
    import_next(to, i);
    EXPECT_EQ(to.committed_tokens(), 10 * (i + 1));
  }
  EXPECT_EQ(std::get<ImportComplete>(to.next()).token_count, 40u);
  EXPECT_TRUE(to.missing().empty());
  EXPECT_EQ(to.statistics().staged_bytes, 0u);
}

TEST_F(ChunkReceiverTest, StagesWithoutCopying) {
  ChunkReceiver to = receiver();
  ASSERT_TRUE(put(to, chain_.chunks[0]));
  EXPECT_EQ(std::get<ImportStaged>(to.next()).chunk.get(), chain_.chunks[0].get());
}

TEST_F(ChunkReceiverTest, ADuplicateIsSuccessToTheSenderAndImportedOnce) {
  ChunkReceiver to = receiver();
  ASSERT_TRUE(put(to, chain_.chunks[0]));
  EXPECT_EQ(put(to, chain_.chunks[0]).error(), Refusal::duplicate);
  import_next(to, 0);
  EXPECT_EQ(put(to, chain_.chunks[0]).error(), Refusal::duplicate);
  EXPECT_TRUE(std::holds_alternative<AwaitChunks>(to.next()));
  EXPECT_FALSE(put_failure_of(Refusal::duplicate));
  EXPECT_EQ(to.statistics().refused_for(Refusal::duplicate), 2u);
}

TEST_F(ChunkReceiverTest, TwoBodiesOfOneChunkMayRaceAndOneWins) {
  ChunkReceiver to = receiver();
  const auto first = admit(to, chain_.chunks[0]);
  const auto second = admit(to, chain_.chunks[0]);
  ASSERT_TRUE(first && second);
  EXPECT_EQ(to.on_body(*second, chain_.chunks[0]), 0u);
  EXPECT_EQ(to.on_body(*first, chain_.chunks[0]).error(), Refusal::duplicate);
  EXPECT_EQ(to.statistics().staged_bytes, chunk_bytes(chain_.chunks[0]->header));
}

TEST_F(ChunkReceiverTest, RefusesEachWrongChunkForItsOwnReason) {
  const TestChain foreign = test_chain(1, 40, 10, 100, test_layout("other"));
  const TestChain stranger = test_chain(2, 40, 10);
  struct Row {
    Refusal refusal;
    std::function<SharedChunk()> make;
  };
  const auto changed = [&](const std::function<void(Chunk&)>& change) {
    Chunk chunk = test_chunk({.tokens = chain_.chunks[0]->header.tokens, .seed = 1'000});
    change(chunk);
    return std::make_shared<const Chunk>(std::move(chunk));
  };
  const Row rows[] = {
      {Refusal::not_announced, [&] { return stranger.chunks[0]; }},
      {Refusal::gap, [&] { return chain_.chunks[1]; }},
      {Refusal::gap, [&] { return chain_.chunks[3]; }},
      {Refusal::forged_key, [&] { return changed([](Chunk& c) { ++c.header.tokens[2]; }); }},
      {Refusal::forged_key,
       [&] { return changed([](Chunk& c) { c.header.range = {10, 20}; }); }},
      {Refusal::payload_size, [&] { return changed([](Chunk& c) { c.payload.shrink(99); }); }},
      {Refusal::payload_digest,
       [&] { return changed([](Chunk& c) { c.payload.span()[0] ^= std::byte{1}; }); }},
      {Refusal::too_large,
       [&] { return changed([](Chunk& c) { c.header.payload_bytes = 1 << 20; }); }},
  };
  ChunkReceiver to = receiver({.staging_bytes_max = 100'000});
  EXPECT_EQ(put_as(chain_.keys()[0], to, foreign.chunks[0]).error(), Refusal::foreign_layout);
  EXPECT_EQ(put_as(chain_.keys()[0], to, stranger.chunks[0]).error(), Refusal::not_announced);
  for (const Row& row : rows) {
    const std::uint32_t before = to.statistics().refused_for(row.refusal);
    const auto answer = put(to, row.make());
    ASSERT_FALSE(answer) << refusal_name(row.refusal);
    EXPECT_EQ(answer.error(), row.refusal)
        << refusal_name(answer.error()) << " instead of " << refusal_name(row.refusal);
    EXPECT_EQ(to.statistics().refused_for(row.refusal), before + 1);
    EXPECT_TRUE(std::holds_alternative<AwaitChunks>(to.next()));
    EXPECT_EQ(to.statistics().staged_bytes, 0u);
  }
  EXPECT_EQ(put(to, chain_.chunks[0]), 0u) << "the right one is still welcome";
}

TEST_F(ChunkReceiverTest, RefusesAGapBeforeItsBodyComes) {
  ChunkReceiver to = receiver();
  EXPECT_EQ(admit(to, chain_.chunks[1]).error(), Refusal::gap);
  // The chunk before it vanishes while the body is on its way.
  to.on_held(chain_.keys()[0]);
  const auto reservation = admit(to, chain_.chunks[1]);
  ASSERT_TRUE(reservation);
  to.on_lost(chain_.keys()[0]);
  EXPECT_EQ(to.on_body(*reservation, chain_.chunks[1]).error(), Refusal::gap);
  EXPECT_EQ(to.statistics().staged_bytes, 0u);
}

TEST_F(ChunkReceiverTest, RefusesAnAnnouncedKeyAtAnotherPosition) {
  std::vector<TokenRange> ranges = chain_.ranges();
  ranges[0].end = 11;
  ranges[1].begin = 11;
  ChunkReceiver to =
      ChunkReceiver::create({chain_.layout, chain_.keys(), ranges}, {}).value();
  EXPECT_EQ(put(to, chain_.chunks[0]).error(), Refusal::wrong_range);
}

TEST_F(ChunkReceiverTest, KnowsABodyThatIsNotWhatItsHeaderPromised) {
  ChunkReceiver to = receiver();
  const auto reservation = admit(to, chain_.chunks[0]);
  EXPECT_EQ(to.on_body(*reservation, chain_.chunks[1]).error(), Refusal::not_announced);
  EXPECT_EQ(to.statistics().staged_bytes, 0u);
}

TEST_F(ChunkReceiverTest, BoundsStagingAndFreesItByImporting) {
  const std::uint64_t one = chunk_bytes(chain_.chunks[0]->header);
  ChunkReceiver to = receiver({.staging_bytes_max = 2 * one});
  ASSERT_TRUE(put(to, chain_.chunks[0]));
  ASSERT_TRUE(put(to, chain_.chunks[1]));
  EXPECT_EQ(put(to, chain_.chunks[2]).error(), Refusal::busy);
  import_next(to, 0);
  const auto reservation = admit(to, chain_.chunks[2]);
  ASSERT_TRUE(reservation);
  EXPECT_EQ(admit(to, chain_.chunks[2]).error(), Refusal::busy) << "promised is taken";
  to.on_body_cut(*reservation);
  EXPECT_TRUE(put(to, chain_.chunks[2]));
  EXPECT_EQ(to.statistics().staged_bytes_peak, 2 * one);
}

TEST_F(ChunkReceiverTest, UsesWhatTheStoreHoldsAroundAHole) {
  ChunkReceiver to = receiver();
  for (const std::size_t i : {0u, 1u, 3u}) to.on_held(chain_.keys()[i]);
  to.on_held(ChunkKey{});  // not ours: nothing
  EXPECT_EQ(to.missing(), std::vector<ChunkKey>{chain_.keys()[2]});
  for (const std::uint32_t i : {0u, 1u}) {
    EXPECT_EQ(std::get<ImportHeld>(to.next()).key, chain_.keys()[i]);
    to.on_imported(i);
  }
  EXPECT_TRUE(std::holds_alternative<AwaitChunks>(to.next()));
  ASSERT_TRUE(put(to, chain_.chunks[2]));
  import_next(to, 2);
  EXPECT_EQ(std::get<ImportHeld>(to.next()).index, 3u);
  to.on_imported(3);
  EXPECT_TRUE(std::holds_alternative<ImportComplete>(to.next()));
}

TEST_F(ChunkReceiverTest, AHeldChunkMayVanishBeforeItsImport) {
  ChunkReceiver to = receiver();
  to.on_held(chain_.keys()[0]);
  EXPECT_TRUE(std::holds_alternative<ImportHeld>(to.next()));
  to.on_lost(chain_.keys()[0]);
  EXPECT_EQ(to.missing().size(), 4u);
  EXPECT_EQ(put(to, chain_.chunks[1]).error(), Refusal::gap);
  ASSERT_TRUE(put(to, chain_.chunks[0]));
  import_next(to, 0);
  to.on_lost(chain_.keys()[0]);  // no matter any more
  EXPECT_EQ(to.missing().size(), 3u);
}

TEST_F(ChunkReceiverTest, AFailedImportAndACancelEndItWithWhatWasCommitted) {
  ChunkReceiver to = receiver();
  for (std::uint32_t i = 0; i < 3; ++i) ASSERT_TRUE(put(to, chain_.chunks[i]));
  import_next(to, 0);
  (void)to.next();
  to.on_import_failed(1, {Code::corrupt, "blob refused"});
  EXPECT_EQ(std::get<ImportFailed>(to.next()).error.code, Code::corrupt);
  EXPECT_EQ(to.committed_tokens(), 10u);
  EXPECT_EQ(to.statistics().staged_bytes, 0u);
  EXPECT_EQ(put(to, chain_.chunks[3]).error(), Refusal::over);

  ChunkReceiver cancelled = receiver();
  const auto reservation = admit(cancelled, chain_.chunks[0]);
  cancelled.cancel();
  EXPECT_EQ(cancelled.on_body(*reservation, chain_.chunks[0]).error(), Refusal::over);
  EXPECT_EQ(std::get<ImportFailed>(cancelled.next()).error.code, Code::cancelled);
  EXPECT_EQ(cancelled.statistics().staged_bytes, 0u);
}

TEST_F(ChunkReceiverTest, RefusesAnAnnouncementThatIsNoChain) {
  const AnnouncedChain good{chain_.layout, chain_.keys(), chain_.ranges()};
  const std::function<void(AnnouncedChain&)> rows[] = {
      [](AnnouncedChain& c) { c.keys.clear(), c.ranges.clear(); },
      [](AnnouncedChain& c) { c.keys.pop_back(); },
      [](AnnouncedChain& c) { c.ranges[0].begin = 1; },
      [](AnnouncedChain& c) { c.ranges[2].begin = 21; },
      [](AnnouncedChain& c) { c.ranges[3].end = 30; },
      [](AnnouncedChain& c) { c.keys[3] = c.keys[0]; },
      [](AnnouncedChain& c) {
        c.keys.resize(transfer_chunks_max + 1);
        c.ranges.resize(transfer_chunks_max + 1);
      },
  };
  EXPECT_TRUE(ChunkReceiver::create(good, {}));
  for (const auto& change : rows) {
    AnnouncedChain bad = good;
    change(bad);
    EXPECT_EQ(ChunkReceiver::create(bad, {}).error().code, Code::invalid_argument);
  }
}

TEST(Refusal, EachHasANameAndAMeaningForTheSender) {
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < refusal_count; ++i) {
    const auto refusal = static_cast<Refusal>(i);
    names.insert(refusal_name(refusal));
    const bool may_be_sent_again = refusal == Refusal::gap || refusal == Refusal::busy ||
                                   refusal == Refusal::payload_size || refusal == Refusal::payload_digest;
    const auto failure = put_failure_of(refusal);
    EXPECT_EQ(failure && *failure != PutFailure::refused, may_be_sent_again) << refusal_name(refusal);
  }
  EXPECT_EQ(names.size(), refusal_count);
}

}  // namespace
}  // namespace hearth::kv
