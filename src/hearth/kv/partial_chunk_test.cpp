// Chunks without the recurrent state that computing on from their end needs.

#include "hearth/kv/chunk_receiver.h"
#include "hearth/kv/store_test_support.h"

namespace hearth::kv {
namespace {

SharedChunk remade(const SharedChunk& chunk, bool is_partial, std::size_t payload_bytes) {
  Buffer payload = Buffer::create(payload_bytes).value();
  std::ranges::fill(payload.span(), is_partial ? std::byte{1} : std::byte{2});
  const ChunkHeader& header = chunk->header;
  return std::make_shared<const Chunk>(make_chunk({.layout = header.layout,
                                                   .parent = header.parent,
                                                   .begin = header.range.begin,
                                                   .tokens = header.tokens,
                                                   .provenance = header.provenance,
                                                   .is_partial = is_partial},
                                                  std::move(payload))
                                           .value());
}

class PartialChunk : public StoreTest {
 protected:
  PartialChunk() {
    for (const SharedChunk& chunk : chain_.chunks) {
      partial_.push_back(remade(chunk, true, 60));
      whole_.push_back(remade(chunk, false, 100));
    }
  }
  std::uint32_t found(ChunkStore& store) const {
    return store.longest_prefix(chain_.layout, chain_.tokens).token_count();
  }

  TestChain chain_ = test_chain(1, 40, 10);
  std::vector<SharedChunk> partial_, whole_;
};

TEST_F(PartialChunk, TheHeaderSaysSoAndTheKeyDoesNot) {
  EXPECT_EQ(partial_[1]->header.key, whole_[1]->header.key);
  const auto read = parse_header(encode_header(partial_[1]->header));
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(*read, partial_[1]->header);
  EXPECT_FALSE(parse_header(encode_header(whole_[1]->header)).value().is_partial);
}

TEST_F(PartialChunk, APrefixEndsWhereComputingCanGoOn) {
  const auto store = open(memory_only(8));
  ASSERT_TRUE(store->put(partial_[0]));
  EXPECT_EQ(found(*store), 0u);
  ASSERT_TRUE(store->put(whole_[1]));
  ASSERT_TRUE(store->put(partial_[2]));
  EXPECT_EQ(found(*store), 20u);
  EXPECT_TRUE(store->contains(partial_[2]->header.key));
  EXPECT_FALSE(store->contains_whole(partial_[2]->header.key));
  ASSERT_TRUE(store->put(whole_[3]));
  EXPECT_EQ(found(*store), 40u);
}

TEST_F(PartialChunk, AWholeOneTakesItsPlaceAndNeverTheOtherWayRound) {
  const auto store = open(memory_only(8));
  EXPECT_EQ(store->put(partial_[0]).value(), PutOutcome::stored);
  EXPECT_EQ(store->put(whole_[0]).value(), PutOutcome::stored);
  EXPECT_EQ(store->put(partial_[0]).value(), PutOutcome::already_present);
  EXPECT_FALSE(store->get(whole_[0]->header.key).value()->header.is_partial);
  EXPECT_EQ(store->statistics().memory_chunks, 1u);
  EXPECT_EQ(store->statistics().memory_bytes, chunk_bytes(whole_[0]->header));
}

TEST_F(PartialChunk, OnDiskTheNewFileReplacesTheOld) {
  {
    const auto store = open(with_disk(8, 8));
    ASSERT_TRUE(store->put(partial_[0]));
    ASSERT_TRUE(store->flush(Deadline::never()));
    ASSERT_TRUE(store->put(whole_[0]));
    ASSERT_TRUE(store->flush(Deadline::never()));
    EXPECT_EQ(store->statistics().disk_chunks, 1u);
    EXPECT_EQ(store->statistics().disk_bytes, chunk_bytes(whole_[0]->header));
  }
  const auto again = open(with_disk(8, 8));
  EXPECT_TRUE(again->contains_whole(whole_[0]->header.key));
  EXPECT_EQ(found(*again), 10u);
  EXPECT_EQ(again->statistics().damaged_count, 0u);
}

TEST_F(PartialChunk, WhileTheOldOneIsBeingWrittenTheNewOneStillWaitsForItsTurn) {
  {
    const auto store = open(with_disk(8, 8));
    files_.hold_writes();
    ASSERT_TRUE(store->put(partial_[0]));
    while (!files_.is_writing()) std::this_thread::yield();
    ASSERT_TRUE(store->put(whole_[0]));
    files_.release_writes();
    ASSERT_TRUE(store->flush(Deadline::never()));
    EXPECT_EQ(store->statistics().pending_writes, 0u);
    EXPECT_EQ(store->statistics().disk_bytes, chunk_bytes(whole_[0]->header));
  }
  EXPECT_TRUE(open(with_disk(8, 8))->contains_whole(whole_[0]->header.key));
}

TEST_F(PartialChunk, WhereTheNewFileCannotBeQueuedTheOldOneStaysKnown) {
  StoreOptions options = with_disk(8, 8);
  options.write_queue_chunks_max = 1;
  const auto store = open(options);
  ASSERT_TRUE(store->put(partial_[0]));
  ASSERT_TRUE(store->flush(Deadline::never()));
  store->use(std::vector{partial_[0]->header.key}, "me");
  files_.hold_writes();
  ASSERT_TRUE(store->put(partial_[1]));
  while (!files_.is_writing()) std::this_thread::yield();
  ASSERT_TRUE(store->put(partial_[2]));
  EXPECT_EQ(store->put(whole_[0]).value(), PutOutcome::already_present);
  EXPECT_FALSE(store->contains_whole(whole_[0]->header.key));
  files_.release_writes();
  EXPECT_EQ(store->forget("me", Deadline::never()).value().dropped, 0u);  // others go on from it
  EXPECT_EQ(store->put(whole_[0]).value(), PutOutcome::stored);
}

TEST_F(PartialChunk, AReceiverCommitsWithTheStateOnly) {
  auto to = ChunkReceiver::create({chain_.layout, chain_.keys(), chain_.ranges()}, {}).value();
  const auto take = [&](std::uint32_t index, const SharedChunk& chunk) {
    const auto place = to.admit(chunk->header.key, chunk_bytes(chunk->header));
    ASSERT_TRUE(place);
    ASSERT_TRUE(to.on_body(*place, chunk));
    ASSERT_TRUE(std::holds_alternative<ImportStaged>(to.next()));
    to.on_imported(index);
  };
  take(0, partial_[0]);
  EXPECT_EQ(to.committed_tokens(), 0u);
  take(1, whole_[1]);
  EXPECT_EQ(to.committed_tokens(), 20u);
  take(2, partial_[2]);
  EXPECT_EQ(to.committed_tokens(), 20u);
  // The last one without it would be a prompt that nobody can go on from.
  const auto place = to.admit(partial_[3]->header.key, chunk_bytes(partial_[3]->header));
  ASSERT_TRUE(place);
  EXPECT_EQ(to.on_body(*place, partial_[3]).error(), Refusal::partial_end);
  take(3, whole_[3]);
  EXPECT_EQ(to.committed_tokens(), 40u);
  EXPECT_EQ(std::get<ImportComplete>(to.next()).token_count, 40u);
}

TEST_F(PartialChunk, APlaceThatWasGivenBackIsFree) {
  auto to = ChunkReceiver::create({chain_.layout, chain_.keys(), chain_.ranges()},
                                  {.staging_bytes_max = 500})
                .value();
  const ChunkKey key = whole_[0]->header.key;
  const auto place = to.admit(key, 400);
  ASSERT_TRUE(place);
  EXPECT_EQ(to.admit(key, 400).error(), Refusal::busy);
  to.on_body_cut(*place);
  EXPECT_EQ(to.statistics().staged_bytes, 0u);
  EXPECT_TRUE(to.admit(key, 400));
  EXPECT_EQ(to.admit(key, 501).error(), Refusal::too_large);
}

}  // namespace
}  // namespace hearth::kv
