#include "hearth/cluster/ticket.h"

#include <gtest/gtest.h>

#include "hearth/cluster/prefill_desk.h"

namespace hearth::cluster {
namespace {

using std::chrono::seconds;

const model::LayoutDigest layout{blake2b(as_byte_span("layout"))};

Ticket sample(std::uint64_t low = 1, std::uint32_t attempt = 1) {
  return {{7, low}, "studio", 5, attempt, layout, 100, seconds(30)};
}

TEST(TicketBook, RefusesWhateverIsNotExactlyTheOpenTicket) {
  TicketBook book(5);
  ASSERT_TRUE(book.issue(sample(1, 2), "spark-1"));
  ASSERT_TRUE(book.issue(sample(2), "spark-1"));
  book.spend({7, 2});
  struct Case {
    TicketUse use;
    const char* from;
    TicketVerdict verdict;
  };
  const Case cases[] = {
      {{{7, 1}, 5, 2, 9}, "spark-2", TicketVerdict::foreign},
      {{{7, 1}, 5, 2, 9}, "spark-1", TicketVerdict::good},
      {{{7, 1}, 5, 2, 9}, "spark-1", TicketVerdict::good},
      {{{7, 1}, 5, 2, 10}, "spark-1", TicketVerdict::other_sender},
      {{{7, 1}, 5, 1, 9}, "spark-1", TicketVerdict::other_attempt},
      {{{7, 1}, 4, 2, 9}, "spark-1", TicketVerdict::other_life},
      {{{7, 3}, 5, 2, 9}, "spark-1", TicketVerdict::unknown},
      {{{8, 1}, 5, 2, 9}, "spark-1", TicketVerdict::unknown},
      {{{7, 2}, 5, 1, 9}, "spark-1", TicketVerdict::spent},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(book.check(c.use, c.from), c.verdict) << verdict_name(c.verdict);
  }
  EXPECT_EQ(book.open_count(), 1u);
}

TEST(TicketBook, IsBounded) {
  TicketBook book(5);
  for (std::uint64_t i = 0; i < tickets_open_max; ++i) ASSERT_TRUE(book.issue(sample(i), "p"));
  EXPECT_FALSE(book.issue(sample(9'999), "p"));
  for (std::uint64_t i = 0; i < 3 * tickets_remembered_max; ++i) {
    book.spend({7, i});
    ASSERT_TRUE(book.issue(sample(i + tickets_open_max), "p"));
  }
  EXPECT_EQ(book.check({{7, 0}, 5, 1, 1}, "p"), TicketVerdict::unknown);
}

TEST(Lease, CoversTheNextPieceAtTheSlowestPace) {
  EXPECT_EQ(lease_for(seconds(1), 3), seconds(30));
  EXPECT_EQ(lease_for(seconds(100), 3), seconds(300));
  EXPECT_EQ(lease_for(std::chrono::hours(100'000), 3), std::chrono::hours(1));
}

PrefillDesk open_desk() {
  PrefillDesk desk({.machine = "spark-1", .incarnation = 9});
  desk.set_layouts({layout});
  return desk;
}

TEST(PrefillDesk, TakesOneAndSaysBusyAtOnceToTheNext) {
  PrefillDesk desk = open_desk();
  const auto first = desk.on_ask("studio", sample(1), seconds(2));
  ASSERT_TRUE(std::holds_alternative<PrefillAccepted>(first));
  EXPECT_EQ(std::get<PrefillAccepted>(first).incarnation, 9u);
  const auto second = desk.on_ask("studio", sample(2), seconds(2), seconds(17));
  ASSERT_TRUE(std::holds_alternative<PrefillBusy>(second));
  EXPECT_EQ(std::get<PrefillBusy>(second).retry_after, Duration(seconds(17)));
  desk.on_run_over({7, 1}, 1);
  EXPECT_TRUE(
      std::holds_alternative<PrefillAccepted>(desk.on_ask("studio", sample(2), seconds(2))));
}

TEST(PrefillDesk, ARepeatedQuestionStartsNothingTwiceAndAUsedTicketStaysUsed) {
  PrefillDesk desk = open_desk();
  EXPECT_FALSE(std::get<PrefillAccepted>(desk.on_ask("studio", sample(), seconds(2))).is_repeat);
  EXPECT_TRUE(std::get<PrefillAccepted>(desk.on_ask("studio", sample(), seconds(2))).is_repeat);
  EXPECT_EQ(desk.running_count(), 1u);
  desk.on_run_over({7, 1}, 1);
  EXPECT_TRUE(std::holds_alternative<PrefillRefused>(desk.on_ask("studio", sample(), seconds(2))));
  EXPECT_EQ(desk.running_count(), 0u);
}

TEST(PrefillDesk, ALaterAttemptReplacesAnEarlierOneAndNotTheOtherWayRound) {
  PrefillDesk desk = open_desk();
  (void)desk.on_ask("studio", sample(1, 1), seconds(2));
  const auto second = desk.on_ask("studio", sample(1, 2), seconds(2));
  ASSERT_TRUE(std::holds_alternative<PrefillAccepted>(second));
  EXPECT_EQ(std::get<PrefillAccepted>(second).replaces, (HandOffId{7, 1}));
  EXPECT_EQ(desk.running_count(), 1u);
  EXPECT_TRUE(
      std::holds_alternative<PrefillRefused>(desk.on_ask("studio", sample(1, 1), seconds(2))));
  desk.on_run_over({7, 1}, 1);  // late news of the first
  EXPECT_TRUE(desk.is_running("studio", {7, 1}, 2));
  EXPECT_FALSE(desk.is_running("m5", {7, 1}, 2));
}

TEST(PrefillDesk, RefusesForeignTicketsForeignLayoutsAndEmptyWork) {
  PrefillDesk desk = open_desk();
  const auto code = [&](const std::string& from, Ticket ticket) {
    const auto answer = desk.on_ask(from, ticket, seconds(2));
    return std::get<PrefillRefused>(answer).error.code;
  };
  EXPECT_EQ(code("m5", sample()), Code::permission);
  Ticket other = sample();
  other.layout = {blake2b(as_byte_span("other"))};
  EXPECT_EQ(code("studio", other), Code::unsupported);
  Ticket empty = sample();
  empty.token_count = 0;
  EXPECT_EQ(code("studio", empty), Code::invalid_argument);
  desk.set_layouts({});  // the worker is down
  EXPECT_TRUE(std::holds_alternative<PrefillBusy>(desk.on_ask("studio", sample(), seconds(2))));
  EXPECT_EQ(desk.running_count(), 0u);
}

}  // namespace
}  // namespace hearth::cluster
