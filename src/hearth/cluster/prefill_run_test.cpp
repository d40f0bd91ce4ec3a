#include "hearth/cluster/prefill_run.h"

#include <gtest/gtest.h>

#include "hearth/kv/test_support.h"

namespace hearth::cluster {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const Instant start = Instant(std::chrono::hours(1));

struct Side {
  explicit Side(kv::SyncParameters how = {}) : patience(how) {}

  const kv::SyncParameters patience;
  kv::TestChain chain = kv::test_chain(1, 25, 10);  // three chunks
  Instant now = start;
  PrefillRun run{
      {{1, 2}, "studio", 3, 1, kv::test_layout(), 25, seconds(30)}, chain.keys(), patience, 7, start};

  template <class Action>
  Action expect() {
    const PrefillRunAction action = run.next(now);
    EXPECT_TRUE(std::holds_alternative<Action>(action)) << action.index();
    return std::holds_alternative<Action>(action) ? std::get<Action>(action) : Action{};
  }
  void answer_query(std::size_t already_there = 0) {
    const auto query = expect<kv::QueryMissing>();
    const auto keys = chain.keys();
    run.on_missing(query.attempt, std::span(keys).subspan(already_there), now);
  }
  void compute(std::uint32_t index) {
    run.on_computed(chain.ranges()[index].end, now);
    run.on_available(index, 1'000, now);
  }
};

TEST(PrefillRun, SendsChunksAsTheyAreComputedAndThenCloses) {
  Side side;
  side.answer_query();
  for (std::uint32_t i = 0; i < 3; ++i) {
    side.expect<WaitForReport>();
    side.compute(i);
    const auto put = side.expect<kv::PutChunk>();
    EXPECT_EQ(put.index, i);
    EXPECT_EQ(side.expect<SendProgress>().done_tokens, side.chain.ranges()[i].end);
    side.run.on_stored(put.attempt, side.now);
  }
  const auto closing = side.expect<SendClosing>();
  EXPECT_EQ(closing.manifest.token_count, 25u);
  EXPECT_EQ(closing.manifest.last_key, side.chain.keys().back());
  side.expect<WaitForReport>();
  side.run.on_acknowledged(side.now);
  EXPECT_FALSE(side.expect<PrefillRunOver>().error);
}

TEST(PrefillRun, AClosingThatNobodyAnswersEndsAllTheSame) {
  Side side;
  side.answer_query(3);
  side.expect<SendClosing>();
  side.now = side.expect<WaitForReport>().until;
  EXPECT_FALSE(side.expect<PrefillRunOver>().error);
}

TEST(PrefillRun, SendsOnlyWhatTheDecodeSideLacks) {
  Side side;
  for (std::uint32_t i = 0; i < 3; ++i) side.compute(i);
  side.answer_query(2);
  EXPECT_EQ(side.expect<kv::PutChunk>().index, 2u);
}

TEST(PrefillRun, FreesEverythingByItselfWhenTheDecodeSideIsNotHeardOf) {
  Side side;
  side.answer_query();
  side.now += seconds(20);
  side.run.on_computed(5, side.now);
  side.expect<SendProgress>();
  side.run.on_acknowledged(side.now);  // renews the lease
  side.now += seconds(29);
  side.run.on_computed(9, side.now);
  side.expect<SendProgress>();
  side.now += seconds(2);
  const auto over = side.expect<PrefillRunOver>();
  ASSERT_TRUE(over.error);
  EXPECT_NE(over.error->message.find("30 s"), std::string::npos);
  EXPECT_TRUE(over.tell_peer);  // which may wait for the first piece all the while
}

TEST(PrefillRun, APieceThatTakesLongerThanTheLeaseKeepsIt) {
  Side side({.chunk_compute = seconds(600)});
  side.answer_query();
  for (int beat = 0; beat < 30; ++beat) {
    side.now = side.expect<WaitForReport>().until;
    EXPECT_EQ(side.expect<SendProgress>().done_tokens, 0u) << beat;
    if (beat % 3 == 0) side.run.on_acknowledged(side.now);  // two replies of three are lost
  }
  side.compute(0);
  EXPECT_EQ(side.expect<kv::PutChunk>().index, 0u);
}

TEST(PrefillRun, EveryReplyOfTheDecodeSideRenewsTheLease) {
  Side side;
  side.answer_query();
  for (std::uint32_t i = 0; i < 3; ++i) {
    side.compute(i);
    const auto put = side.expect<kv::PutChunk>();
    side.expect<SendProgress>();  // lost: no reply
    side.now += milliseconds(1'500);
    side.run.on_put_failed(put.attempt, kv::PutFailure::busy, {Code::resource_exhausted, "full"},
                           side.now);
    side.now = side.expect<WaitForReport>().until;
    const auto again = side.expect<kv::PutChunk>();
    side.now += milliseconds(1'500);
    side.run.on_stored(again.attempt, side.now);
    EXPECT_TRUE(std::holds_alternative<WaitForReport>(side.run.next(side.now)) || i == 2);
    side.now += seconds(29);
    if (i < 2) side.run.on_computed(side.chain.ranges()[i].end, side.now);
    EXPECT_FALSE(side.run.is_over()) << i;
  }
}

TEST(PrefillRun, AComputationWithoutChunksKeepsGoing) {
  Side side;
  side.answer_query();
  for (std::uint32_t done = 1; done < 10; ++done) {
    side.now += seconds(5);  // beyond the producer's deadline together, not each
    side.run.on_computed(done, side.now);
    EXPECT_EQ(side.expect<SendProgress>().done_tokens, done);
    side.run.on_acknowledged(side.now);
  }
  side.expect<WaitForReport>();
}

TEST(PrefillRun, EndsAtOnceWhenOneSideStops) {
  Side failing;
  failing.answer_query();
  failing.run.on_prefill_failed({Code::unavailable, "the worker has died"});
  const auto failed = failing.expect<PrefillRunOver>();
  EXPECT_TRUE(failed.tell_peer);
  EXPECT_NE(failed.error->message.find("died"), std::string::npos);

  Side cancelled;
  cancelled.answer_query();
  cancelled.compute(0);
  const auto put = cancelled.expect<kv::PutChunk>();
  cancelled.run.on_peer_over();
  EXPECT_FALSE(cancelled.expect<PrefillRunOver>().tell_peer);
  cancelled.run.on_stored(put.attempt, cancelled.now);  // late: ignored
  EXPECT_TRUE(cancelled.run.is_over());

  Side replaced;
  replaced.run.cancel({Code::cancelled, "replaced by a later attempt"});
  EXPECT_TRUE(replaced.expect<PrefillRunOver>().tell_peer);
}

}  // namespace
}  // namespace hearth::cluster
