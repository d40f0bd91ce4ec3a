#include "hearth/kv/chunk_sender.h"

#include "hearth/kv/test_support.h"

namespace hearth::kv {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const Error some_error{Code::unavailable, "connection reset"};

class ChunkSenderTest : public ::testing::Test {
 protected:
  static constexpr std::uint32_t count = 4;

  // All chunks exist.
  void make_all_available() {
    for (std::uint32_t i = 0; i < count; ++i) sender_.on_available(i, 1'000, now_);
  }
  template <class Action>
  Action expect() {
    const SendAction action = sender_.next(now_);
    EXPECT_TRUE(std::holds_alternative<Action>(action)) << "action " << action.index();
    if (const Action* wanted = std::get_if<Action>(&action)) return *wanted;
    return {};
  }
  void answer_query(std::vector<std::uint32_t> missing) {
    std::vector<ChunkKey> keys;
    for (const std::uint32_t i : missing) keys.push_back(chain_.keys()[i]);
    sender_.on_missing(expect<QueryMissing>().attempt, keys, now_);
  }
  PutChunk expect_put(std::uint32_t index) {
    const PutChunk put = expect<PutChunk>();
    EXPECT_EQ(put.index, index);
    EXPECT_EQ(put.key, chain_.keys()[index]);
    return put;
  }
  void store(std::uint32_t index) { sender_.on_stored(expect_put(index).attempt, now_); }
  // Passes the back-off.
  void wait() { now_ = expect<WaitUntil>().when; }
  Code expect_end() { return expect<GiveUp>().error.code; }

  TestChain chain_ = test_chain(1, 10 * count, 10);
  Instant now_{};
  SyncParameters parameters_;
  ChunkSender sender_{chain_.keys(), parameters_, 1, now_};
};

TEST_F(ChunkSenderTest, SendsWhatIsMissingInOrderAndNothingElse) {
  make_all_available();
  answer_query({1, 3});
  store(1);
  store(3);
  expect<TransferDone>();
  expect<TransferDone>();
  EXPECT_EQ(sender_.statistics().puts, 2u);
  EXPECT_EQ(sender_.statistics().already_there, 2u);
  EXPECT_EQ(sender_.statistics().bytes_acknowledged, 2'000u);
}

TEST_F(ChunkSenderTest, IsDoneWhenThePeerHasAll) {
  answer_query({});
  expect<TransferDone>();
  EXPECT_EQ(sender_.statistics().puts, 0u);
}

TEST_F(ChunkSenderTest, HasOneRequestInFlight) {
  make_all_available();
  const QueryMissing query = expect<QueryMissing>();
  EXPECT_EQ(expect<WaitUntil>().when, query.deadline);
  sender_.on_missing(query.attempt, chain_.keys(), now_);
  const PutChunk put = expect_put(0);
  EXPECT_EQ(expect<WaitUntil>().when, put.deadline);
}

TEST_F(ChunkSenderTest, SendsAChunkWhenItIsMade) {
  answer_query({0, 1, 2, 3});
  EXPECT_EQ(expect<WaitUntil>().when, now_ + producer_deadline(parameters_));
  sender_.on_available(1, 1'000, now_);
  expect<WaitUntil>();
  sender_.on_available(0, 1'000, now_);
  store(0);
  store(1);
  expect<WaitUntil>();
}

TEST_F(ChunkSenderTest, GivesUpOnAProducerThatShowsNoProgress) {
  answer_query({0, 1, 2, 3});
  for (int i = 0; i < 10; ++i) {  // slow, but alive
    now_ += producer_deadline(parameters_) - milliseconds(1);
    sender_.on_producer_progress(now_);
    expect<WaitUntil>();
  }
  now_ += producer_deadline(parameters_);
  EXPECT_EQ(expect_end(), Code::timed_out);
}

TEST_F(ChunkSenderTest, ALostReplyCostsAQuestionNotAChunk) {
  make_all_available();
  answer_query({0, 1, 2, 3});
  store(0);
  const PutChunk put = expect_put(1);
  now_ = put.deadline;
  wait();
  answer_query({2, 3});  // 1 had arrived
  store(2);
  store(3);
  expect<TransferDone>();
  EXPECT_EQ(sender_.statistics().resent, 0u);
}

TEST_F(ChunkSenderTest, ACutLinkCostsOneChunk) {
  make_all_available();
  answer_query({0, 1, 2, 3});
  store(0);
  expect_put(1);
  sender_.on_link_lost(now_);
  wait();
  answer_query({1, 2, 3});
  for (const std::uint32_t i : {1u, 2u, 3u}) store(i);
  expect<TransferDone>();
  EXPECT_EQ(sender_.statistics().resent, 1u);
  EXPECT_EQ(sender_.statistics().puts, 5u);
}

TEST_F(ChunkSenderTest, ChecksItsBeliefsAfterAGap) {
  make_all_available();
  answer_query({2, 3});
  sender_.on_put_failed(expect_put(2).attempt, PutFailure::gap, some_error, now_);
  wait();
  answer_query({0, 1, 2, 3});  // the peer has restarted
  for (const std::uint32_t i : {0u, 1u, 2u, 3u}) store(i);
  expect<TransferDone>();
}

TEST_F(ChunkSenderTest, SendsADamagedChunkAgainWithoutAsking) {
  make_all_available();
  answer_query({0, 1, 2, 3});
  sender_.on_put_failed(expect_put(0).attempt, PutFailure::damaged, some_error, now_);
  wait();
  store(0);
  EXPECT_EQ(sender_.statistics().queries, 1u);
}

TEST_F(ChunkSenderTest, BacksOffAndGivesUpAfterAttemptsWithoutProgress) {
  make_all_available();
  answer_query({0, 1, 2, 3});
  Duration last{};
  for (std::uint32_t i = 1; i < parameters_.attempts_max; ++i) {
    sender_.on_put_failed(expect_put(0).attempt, PutFailure::damaged, some_error, now_);
    const Duration pause = expect<WaitUntil>().when - now_;
    EXPECT_GT(pause, last) << "even a jittered step is longer than the one before";
    EXPECT_LE(pause, parameters_.backoff_max);
    last = pause * 2 / 3;
    wait();
  }
  sender_.on_put_failed(expect_put(0).attempt, PutFailure::damaged, some_error, now_);
  EXPECT_EQ(expect_end(), some_error.code);
}

TEST_F(ChunkSenderTest, ProgressForgivesFailures) {
  make_all_available();
  answer_query({0, 1, 2, 3});
  for (std::uint32_t chunk = 0; chunk < count; ++chunk) {
    for (std::uint32_t i = 1; i < parameters_.attempts_max; ++i) {
      sender_.on_put_failed(expect_put(chunk).attempt, PutFailure::damaged, some_error, now_);
      wait();
    }
    store(chunk);
  }
  expect<TransferDone>();
}

TEST_F(ChunkSenderTest, APeerThatForgetsForEverIsGivenUp) {
  make_all_available();
  parameters_.failures_max = 50;
  ChunkSender sender(chain_.keys(), parameters_, 1, now_);
  sender_ = std::move(sender);
  make_all_available();
  for (std::uint32_t round = 0; round <= 50; ++round) {
    answer_query({0, 1, 2, 3});
    store(0);
    sender_.on_put_failed(expect_put(1).attempt, PutFailure::gap, some_error, now_);
    if (sender_.is_over()) break;
    wait();
  }
  expect_end();
  EXPECT_EQ(sender_.statistics().failures, 51u);
}

TEST_F(ChunkSenderTest, ABusyPeerCostsPatienceNotAttempts) {
  make_all_available();
  answer_query({0, 1, 2, 3});
  store(0);
  const Instant started = now_;
  std::uint32_t times = 0;
  while (!sender_.is_over()) {
    sender_.on_put_failed(expect_put(1).attempt, PutFailure::busy, some_error, now_,
                          milliseconds(400));
    if (sender_.is_over()) break;
    EXPECT_EQ(expect<WaitUntil>().when, now_ + milliseconds(400));
    wait();
    ++times;
  }
  EXPECT_GE(now_ - started, import_deadline(parameters_, 1));
  EXPECT_GE(times, 5u);
  EXPECT_EQ(sender_.statistics().failures, 0u);
}

TEST_F(ChunkSenderTest, WaitsForAChunkThatWasEvictedHere) {
  make_all_available();
  answer_query({0, 1, 2, 3});
  sender_.on_put_failed(expect_put(0).attempt, PutFailure::unavailable, some_error, now_);
  EXPECT_EQ(expect<WaitUntil>().when, now_ + producer_deadline(parameters_));
  sender_.on_available(0, 1'000, now_);
  store(0);
}

TEST_F(ChunkSenderTest, EndsAtOnceWhenRefusedCancelledOrMisunderstood) {
  const auto restart = [&] {
    sender_ = ChunkSender(chain_.keys(), parameters_, 1, now_);
    make_all_available();
  };
  restart();
  answer_query({0});
  sender_.on_put_failed(expect_put(0).attempt, PutFailure::refused, {Code::permission, "no"},
                        now_);
  EXPECT_EQ(expect_end(), Code::permission);

  restart();
  expect<QueryMissing>();
  sender_.cancel();
  EXPECT_EQ(expect_end(), Code::cancelled);

  restart();
  const ChunkKey foreign{};
  sender_.on_missing(expect<QueryMissing>().attempt, std::span(&foreign, 1), now_);
  EXPECT_EQ(expect_end(), Code::corrupt);

  restart();
  sender_.on_query_failed(expect<QueryMissing>().attempt, {Code::unsupported, "version"}, now_);
  EXPECT_EQ(expect_end(), Code::unsupported);

  restart();
  sender_.on_producer_failed({Code::internal, "worker died"});
  EXPECT_EQ(expect_end(), Code::internal);
}

TEST_F(ChunkSenderTest, IgnoresWhatBelongsToAnOlderAttempt) {
  make_all_available();
  const QueryMissing lost = expect<QueryMissing>();
  sender_.on_query_failed(lost.attempt, some_error, now_);
  wait();
  const QueryMissing query = expect<QueryMissing>();
  sender_.on_missing(lost.attempt, {}, now_);  // late, and no longer true
  expect<WaitUntil>();
  sender_.on_missing(query.attempt, chain_.keys(), now_);
  const PutChunk first = expect_put(0);
  sender_.on_put_failed(first.attempt, PutFailure::link, some_error, now_);
  sender_.on_stored(first.attempt, now_);
  EXPECT_EQ(sender_.statistics().stale_reports, 2u);
  EXPECT_EQ(sender_.statistics().acknowledged, 0u);
}

TEST(SyncParameters, DeadlinesFollowPredictionsAboveAFloor) {
  SyncParameters p;
  p.link_bytes_per_s = 1e6;
  EXPECT_EQ(put_deadline(p, 1'000), p.progress_floor);
  EXPECT_EQ(put_deadline(p, 10'000'000), seconds(30));
  p.chunk_compute = seconds(7);
  EXPECT_EQ(producer_deadline(p), seconds(21));
  EXPECT_EQ(import_deadline(p, 99), seconds(30));
  p.link_bytes_per_s = 0;
  EXPECT_GT(put_deadline(p, 1), seconds(3'600)) << "no rate known: very patient, no overflow";
  EXPECT_EQ(backoff(p, 1, 0), p.backoff_first);
  EXPECT_EQ(backoff(p, 3, 0), 4 * p.backoff_first);
  EXPECT_EQ(backoff(p, 1'000, 0), p.backoff_max);
  EXPECT_EQ(backoff(p, 1'000, 0.5), p.backoff_max * 3 / 4);
}

}  // namespace
}  // namespace hearth::kv
