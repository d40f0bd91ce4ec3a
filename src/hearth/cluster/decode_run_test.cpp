#include "hearth/cluster/decode_run.h"

#include <gtest/gtest.h>

#include "hearth/kv/test_support.h"

namespace hearth::cluster {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Kind = DecodeRunOver::Kind;

const Instant start = Instant(std::chrono::hours(1));

// Four chunks of ten tokens, the last of five.
struct Side {
  kv::TestChain chain = kv::test_chain(1, 35, 10);
  Instant now = start;
  DecodeRun run;

  explicit Side(DecodeRunParameters parameters = defaults())
      : run(DecodeRun::create(ticket(), announced(), parameters, start).value()) {}

  static DecodeRunParameters defaults() { return {.chunk_tokens = 10}; }
  static Ticket ticket() { return {{1, 2}, "studio", 3, 1, kv::test_layout(), 35, seconds(30)}; }
  kv::AnnouncedChain announced() const { return {chain.layout, chain.keys(), chain.ranges()}; }

  template <class Action>
  Action expect() {
    const DecodeRunAction action = run.next(now);
    EXPECT_TRUE(std::holds_alternative<Action>(action)) << action.index();
    return std::holds_alternative<Action>(action) ? std::get<Action>(action) : Action{};
  }
  void ask_and_accept() {
    expect<AskPeer>();
    run.on_accepted(seconds(1), now);
  }
  std::expected<std::uint32_t, kv::Refusal> put(std::size_t index) {
    return put(chain.chunks[index]);
  }
  std::expected<kv::Reservation, kv::Refusal> admit(const kv::SharedChunk& chunk) {
    return run.admit(chunk->header.key, kv::chunk_bytes(chunk->header), now);
  }
  std::expected<std::uint32_t, kv::Refusal> put(const kv::SharedChunk& chunk) {
    const auto reservation = admit(chunk);
    if (!reservation) return std::unexpected(reservation.error());
    return run.on_body(*reservation, chunk, now);
  }
  void import(std::uint32_t index) {
    EXPECT_EQ(expect<ImportChunk>().index, index);
    run.on_imported(index, now);
  }
};

TEST(DecodeRun, ImportsWhatComesAndIsCompleteWithoutAClosing) {
  Side side;
  side.ask_and_accept();
  for (std::uint32_t i = 0; i < 4; ++i) {
    side.expect<WaitForReport>();
    EXPECT_EQ(side.put(i), i);
    side.import(i);
  }
  const auto over = side.expect<DecodeRunOver>();
  EXPECT_EQ(over.kind, Kind::complete);
  EXPECT_EQ(over.committed_tokens, 35u);
  EXPECT_EQ(side.put(3).error(), kv::Refusal::over);
}

TEST(DecodeRun, AChunkThatComesBeforeTheAnswerSaysYes) {
  Side side;
  side.expect<AskPeer>();
  EXPECT_EQ(side.put(0), 0u);
  side.run.on_busy(seconds(1));  // late, and of another question
  side.import(0);
  side.expect<WaitForReport>();
}

struct Trouble {
  const char* name;
  void (*happens)(Side&);
  Kind kind;
  bool tells_peer;
  const char* reason;
};

TEST(DecodeRun, TroubleEndsWithWhatIsCommitted) {
  const Trouble troubles[] = {
      {"the peer says that it failed", [](Side& s) { s.run.on_peer_failed("out of memory"); },
       Kind::compute_rest, false, "out of memory"},
      {"silence", [](Side& s) { s.now += seconds(60); }, Kind::compute_rest, true, "no progress"},
      {"it closes too early",
       [](Side& s) {
         s.run.on_closing({35, 4, s.chain.keys()[3]});
       },
       Kind::compute_rest, true, "before every chunk"},
      {"it closes something else",
       [](Side& s) {
         s.run.on_closing({34, 4, s.chain.keys()[3]});
       },
       Kind::compute_rest, true, "34 tokens"},
      {"the client leaves", [](Side& s) { s.run.cancel(); }, Kind::cancelled, true, "client"},
      {"the worker dies",
       [](Side& s) {
         s.run.on_worker_lost({Code::unavailable, "signal 6"});
       },
       Kind::worker_lost, true, "signal 6"},
  };
  for (const Trouble& t : troubles) {
    Side side;
    side.ask_and_accept();
    EXPECT_EQ(side.put(0), 0u);
    side.import(0);
    t.happens(side);
    if (t.tells_peer) side.expect<CancelPeer>();
    const auto over = side.expect<DecodeRunOver>();
    EXPECT_EQ(over.kind, t.kind) << t.name;
    EXPECT_EQ(over.committed_tokens, 10u) << t.name;
    EXPECT_NE(over.reason.find(t.reason), std::string::npos) << t.name << ": " << over.reason;
    EXPECT_EQ(side.run.statistics().staged_bytes, 0u) << t.name;
    EXPECT_EQ(side.put(1).error(), kv::Refusal::over) << t.name;
  }
}

// The peer needs 35 s, this machine 10 and has something else to do first.
TEST(DecodeRun, ASlowerPeerIsKeptWhileWhoeverWouldComputeHereHadToWait) {
  for (const double queue_s : {0.0, 40.0}) {
    DecodeRunParameters parameters = Side::defaults();
    parameters.remote = PrefillCurve{.token_s = 1, .depth_max = 1'000};
    parameters.local = PrefillCurve{.token_s = 10 / 35.0, .depth_max = 1'000};
    parameters.local_queue_s = queue_s;
    parameters.patience.chunk_compute = seconds(60);
    Side side(parameters);
    side.ask_and_accept();
    if (queue_s == 0) {
      side.expect<CancelPeer>();
      continue;
    }
    side.expect<WaitForReport>();
    side.now += seconds(30);  // nothing came, and the wait here is nearly over
    side.expect<CancelPeer>();
  }
}

TEST(DecodeRun, WhatIsStagedWhenThePeerFailsIsStillImported) {
  Side side;
  side.ask_and_accept();
  EXPECT_EQ(side.put(0), 0u);
  EXPECT_EQ(side.put(1), 1u);
  EXPECT_EQ(side.expect<ImportChunk>().index, 0u);
  side.run.on_peer_failed("died");
  side.expect<WaitForReport>();  // the import is under way
  side.run.on_imported(0, side.now);
  side.import(1);
  EXPECT_EQ(side.expect<DecodeRunOver>().committed_tokens, 20u);
}

TEST(DecodeRun, CancellingWaitsForTheImportUnderWayOnly) {
  Side side;
  side.ask_and_accept();
  EXPECT_EQ(side.put(0), 0u);
  EXPECT_EQ(side.put(1), 1u);
  (void)side.expect<ImportChunk>();
  side.run.cancel();
  side.expect<CancelPeer>();
  side.expect<WaitForReport>();
  side.run.on_imported(0, side.now);
  EXPECT_EQ(side.expect<DecodeRunOver>().committed_tokens, 10u);
}

TEST(DecodeRun, BodiesUnderWayAtTheEndLeaveNothing) {
  Side side;
  side.ask_and_accept();
  const auto reservation = side.admit(side.chain.chunks[0]);
  ASSERT_TRUE(reservation);
  side.run.on_peer_failed("died");
  (void)side.expect<DecodeRunOver>();
  EXPECT_GT(side.run.statistics().staged_bytes, 0u);
  EXPECT_EQ(side.run.on_body(*reservation, side.chain.chunks[0], side.now).error(),
            kv::Refusal::over);
  EXPECT_EQ(side.run.statistics().staged_bytes, 0u);
}

TEST(DecodeRun, ProgressKeepsItAliveForAsLongAsItTakes) {
  Side side;
  side.ask_and_accept();
  std::uint32_t done = 0;
  for (int i = 0; i < 34; ++i) {
    const auto wait = side.expect<WaitForReport>();
    side.now = wait.until - milliseconds(1);
    ASSERT_TRUE(side.run.on_progress(++done, side.now));
  }
  EXPECT_GT(side.now - start, seconds(100));
  // The same again is not progress, and more than all cannot be.
  EXPECT_TRUE(side.run.on_progress(done, side.now + seconds(1)));
  EXPECT_FALSE(side.run.on_progress(36, side.now));
  side.now = side.expect<WaitForReport>().until;
  side.expect<CancelPeer>();
}

TEST(DecodeRun, ABusyOrUnwillingPeerEndsAtOnce) {
  Side busy;
  busy.expect<AskPeer>();
  busy.run.on_busy(seconds(9));
  const auto over = busy.expect<DecodeRunOver>();
  EXPECT_EQ(over.kind, Kind::busy);
  EXPECT_EQ(over.busy_for, Duration(seconds(9)));

  Side unwilling;
  unwilling.expect<AskPeer>();
  unwilling.run.on_ask_failed({Code::unsupported, "no such layout"});
  EXPECT_EQ(unwilling.expect<DecodeRunOver>().kind, Kind::compute_rest);
}

TEST(DecodeRun, ManyChunksThatCannotBeRightAreALie) {
  Side side;
  side.ask_and_accept();
  const kv::SharedChunk foreign = kv::test_shared({.tokens = {9, 9, 9}});
  for (std::uint32_t i = 0; i < Side::defaults().refusals_max; ++i) {
    side.expect<WaitForReport>();
    EXPECT_EQ(side.put(foreign).error(), kv::Refusal::not_announced);
  }
  side.expect<CancelPeer>();
  EXPECT_TRUE(side.expect<DecodeRunOver>().peer_lied);
}

// Each bring nothing: a body that never proves right, one that never comes whole, a question.
TEST(DecodeRun, APeerThatOnlyEverTriesIsNotWaitedFor) {
  using Try = void (*)(Side&);
  const Try tries[] = {
      [](Side& side) {
        kv::Chunk damaged = kv::test_chunk({.tokens = {1}});
        damaged.header = side.chain.chunks[0]->header;
        damaged.payload = kv::test_payload(77, damaged.header.payload_bytes);
        EXPECT_EQ(side.put(std::make_shared<const kv::Chunk>(std::move(damaged))).error(), kv::Refusal::payload_digest);
      },
      [](Side& side) { side.run.on_body_cut(side.admit(side.chain.chunks[0]).value()); },
      [](Side& side) { (void)side.run.missing(side.now); },
  };
  for (const Try& try_once : tries) {
    Side side;
    side.ask_and_accept();
    bool gave_up = false;
    for (int i = 0; i < 1'000 && !gave_up; ++i) {
      const auto action = side.run.next(side.now);
      if ((gave_up = std::holds_alternative<CancelPeer>(action))) break;
      side.now = std::get<WaitForReport>(action).until - milliseconds(1);
      try_once(side);
      side.now += milliseconds(1);
    }
    EXPECT_TRUE(gave_up);
    EXPECT_EQ(side.expect<DecodeRunOver>().kind, Kind::compute_rest);
  }
}

TEST(DecodeRun, NothingIsImportedPastARefusedChunk) {
  Side side;
  side.ask_and_accept();
  kv::Chunk damaged = kv::test_chunk({.tokens = {1}});
  damaged.header = side.chain.chunks[0]->header;
  damaged.payload = kv::test_payload(77, damaged.header.payload_bytes);
  EXPECT_EQ(side.put(std::make_shared<const kv::Chunk>(std::move(damaged))).error(),
            kv::Refusal::payload_digest);
  EXPECT_EQ(side.put(1).error(), kv::Refusal::gap);
  side.expect<WaitForReport>();
  EXPECT_EQ(side.put(0), 0u);
  side.import(0);
}

TEST(DecodeRun, AnImportThatHangsMeansTheWorkerIsLost) {
  Side side;
  side.ask_and_accept();
  EXPECT_EQ(side.put(0), 0u);
  (void)side.expect<ImportChunk>();
  side.now = side.expect<WaitForReport>().until;
  side.expect<CancelPeer>();
  EXPECT_EQ(side.expect<DecodeRunOver>().kind, Kind::worker_lost);
}

TEST(DecodeRun, ARefusedImportCostsTheRestOnly) {
  Side side;
  side.ask_and_accept();
  EXPECT_EQ(side.put(0), 0u);
  side.import(0);
  EXPECT_EQ(side.put(1), 1u);
  (void)side.expect<ImportChunk>();
  side.run.on_import_refused(1, {Code::corrupt, "positions out of order"});
  side.expect<CancelPeer>();
  const auto over = side.expect<DecodeRunOver>();
  EXPECT_EQ(over.kind, Kind::compute_rest);
  EXPECT_EQ(over.committed_tokens, 10u);
}

TEST(DecodeRun, HeldChunksAreImportedFromTheStoreAndMissedWhenLost) {
  Side side;
  side.run.on_held(side.chain.keys()[0]);
  side.run.on_held(side.chain.keys()[1]);
  side.ask_and_accept();
  EXPECT_EQ(side.run.missing(side.now).size(), 2u);
  EXPECT_EQ(side.expect<ImportChunk>().chunk, nullptr);
  side.run.on_imported(0, side.now);
  EXPECT_EQ(side.expect<ImportChunk>().key, side.chain.keys()[1]);
  side.run.on_held_lost(1, side.chain.keys()[1]);
  side.expect<WaitForReport>();
  EXPECT_EQ(side.run.missing(side.now).size(), 3u);
  EXPECT_EQ(side.put(2).error(), kv::Refusal::gap);
  EXPECT_EQ(side.put(1), 1u);
}

TEST(DecodeRun, FinishesHereWhenThePeerFallsBehindComputingTheRest) {
  DecodeRunParameters parameters = Side::defaults();
  parameters.remote = PrefillCurve{.token_s = 0.1, .depth_max = 1'000};
  parameters.local = PrefillCurve{.token_s = 0.3, .depth_max = 1'000};
  parameters.patience.progress_floor = seconds(600);
  Side side(parameters);
  side.ask_and_accept();
  side.now += seconds(2);
  side.expect<WaitForReport>();  // a second late, and still better
  side.now += seconds(6);
  side.expect<CancelPeer>();
  EXPECT_NE(side.expect<DecodeRunOver>().reason.find("slower"), std::string::npos);
}

TEST(DecodeRun, RefusesATicketThatIsNotOfTheChain) {
  const Side side;
  Ticket ticket = Side::ticket();
  ticket.token_count = 36;
  EXPECT_EQ(DecodeRun::create(ticket, side.announced(), {}, start).error().code,
            Code::invalid_argument);
  ticket = Side::ticket();
  ticket.layout = kv::test_layout("other");
  EXPECT_EQ(DecodeRun::create(ticket, side.announced(), {}, start).error().code,
            Code::invalid_argument);
}

}  // namespace
}  // namespace hearth::cluster
