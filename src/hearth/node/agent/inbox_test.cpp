#include "hearth/node/agent/inbox.h"

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <optional>

#include "hearth/kv/test_support.h"

namespace hearth::node {
namespace {

constexpr std::size_t payload_bytes = 100'000;

// Two peers send the chunks of a prompt each, to a machine with room for four chunks.
class InboxTest : public testing::Test {
 protected:
  InboxTest() {
    one_ = kv::chunk_bytes(chains_[0].chunks[0]->header);
    // Room for one chunk: what the store keeps is not what staging holds.
    store_ = kv::ChunkStore::open({.directory = {}, .memory_bytes_max = one_}, *files_, clock_).value();
    inbox_ = std::make_unique<Inbox>("studio", /*incarnation=*/1, *store_, 4 * one_);
    for (std::size_t peer = 0; peer < 2; ++peer) claims_[peer] = expect(peer);
  }
  std::unique_ptr<Inbox::Claim> expect(std::size_t peer) {
    const kv::TestChain& chain = chains_[peer];
    const auto tokens = static_cast<std::uint32_t>(chain.tokens.size());
    const auto ticket = inbox_->new_ticket(chain.layout, tokens, std::chrono::minutes(1));
    return inbox_->expect(ticket, "peer", {chain.layout, chain.keys(), chain.ranges()}, {},
                          {.limits = {.chunk_bytes = one_}, .chunk_tokens = 10}).value();
  }
  void accept(std::size_t peer) {
    Delivery& delivery = claims_[peer]->delivery();
    ASSERT_TRUE(std::holds_alternative<cluster::AskPeer>(delivery.next({})));
    delivery.on_reply(PrefillReply{.first_piece = std::chrono::minutes(1)});
  }
  std::optional<kv::Refusal> put(std::size_t peer, std::size_t index) {
    const kv::SharedChunk& chunk = chains_[peer].chunks[index];
    Delivery& delivery = claims_[peer]->delivery();
    const auto place = delivery.admit(chunk->header.key, one_);
    if (!place) return place.error();
    return delivery.put(**place, chunk, std::chrono::steady_clock::now());
  }
  void import(std::size_t peer, std::uint32_t index) {
    const auto action = claims_[peer]->delivery().next({});
    ASSERT_TRUE(std::holds_alternative<cluster::ImportChunk>(action)) << action.index();
    EXPECT_EQ(std::get<cluster::ImportChunk>(action).index, index);
    claims_[peer]->delivery().imported();
  }

  const kv::TestChain chains_[2] = {kv::test_chain(1, 60, 10, payload_bytes), kv::test_chain(2, 60, 10, payload_bytes)};
  const std::unique_ptr<FileSystem> files_ = real_file_system();
  SteadyClock clock_;
  std::uint64_t one_ = 0;
  std::unique_ptr<kv::ChunkStore> store_;
  std::unique_ptr<Inbox> inbox_;
  std::map<std::size_t, std::unique_ptr<Inbox::Claim>> claims_;
};

TEST_F(InboxTest, HandOffsTogetherHoldNoMoreThanTheMachineAllowsAndEachGoesOn) {
  for (std::size_t peer = 0; peer < 2; ++peer) accept(peer);
  for (std::uint32_t index = 0; index < 6; ++index) {
    for (std::size_t peer = 0; peer < 2; ++peer) EXPECT_EQ(put(peer, index), std::nullopt) << index;
    if (index + 1 < 6) {
      for (std::size_t peer = 0; peer < 2; ++peer) EXPECT_EQ(put(peer, index + 1), kv::Refusal::busy) << index;
    }
    EXPECT_EQ(inbox_->staging().held_bytes(), 2 * one_);
    for (std::size_t peer = 0; peer < 2; ++peer) import(peer, index);
  }
  for (std::size_t peer = 0; peer < 2; ++peer) {
    const auto over = claims_[peer]->delivery().next({});
    ASSERT_TRUE(std::holds_alternative<cluster::DecodeRunOver>(over));
    EXPECT_EQ(std::get<cluster::DecodeRunOver>(over).kind, cluster::DecodeRunOver::Kind::complete);
  }
}

TEST_F(InboxTest, ABodyThatIsStillComingKeepsItsRoomWhenItsHandOffIsGone) {
  accept(0);
  auto place = claims_[0]->delivery().admit(chains_[0].chunks[0]->header.key, one_);
  ASSERT_TRUE(place);
  claims_.clear();
  EXPECT_EQ(inbox_->size(), 0u);
  EXPECT_EQ(inbox_->staging().held_bytes(), one_);
  place->reset();
  EXPECT_EQ(inbox_->staging().held_bytes(), 0u);
  EXPECT_EQ(inbox_->staging().promised_bytes(), 0u);
}

TEST_F(InboxTest, AHandOffForWhoseChunksThereIsNoRoomDoesNotBegin) {
  const auto chain = kv::test_chain(3, 60, 10, payload_bytes);
  const auto begin = [&](std::uint64_t chunk_bytes) {
    const auto ticket = inbox_->new_ticket(chain.layout, 60, std::chrono::minutes(1));
    return inbox_->expect(ticket, "peer", {chain.layout, chain.keys(), chain.ranges()}, {},
                          {.limits = {.chunk_bytes = chunk_bytes}, .chunk_tokens = 10});
  };
  const auto refused = begin(3 * one_);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::resource_exhausted);
  EXPECT_EQ(inbox_->size(), 2u);
  EXPECT_TRUE(begin(2 * one_));
}

}  // namespace
}  // namespace hearth::node
