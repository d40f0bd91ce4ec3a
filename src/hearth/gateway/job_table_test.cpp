// Who joins a running answer, how many there may be, and what becomes of those nobody reads.
#include "hearth/gateway/job_table.h"

#include <gtest/gtest.h>

#include <atomic>

#include "hearth/base/thread.h"
#include "hearth/gateway/repeat_key.h"
#include "tests/support/scripted_model.h"

namespace hearth::gateway {
namespace {

using Delivery = AnswerJob::Delivery;
using test::Gate;

constexpr Duration long_time = std::chrono::hours(1);

Deadline soon() { return Deadline::after(std::chrono::seconds(20)); }

Repetition same(bool has_session, bool stream = true) {
  return {.key = blake2b(as_byte_span("body")), .has_session = has_session, .stream = stream};
}

// Says one word when the gate lets it, then ends.
JobTable::Work one_word(std::shared_ptr<Gate> gate) {
  return [gate](AnswerJob& job, const StopToken& stop) {
    const StopCallback open(stop, [gate] { gate->open(); });
    if (!gate->pass(soon())) return;
    job.add({{.text = "word"}});
    job.ended({});
  };
}

std::unique_ptr<Attachment> start(JobTable& table, std::optional<Repetition> request,
                                  std::shared_ptr<Gate> gate) {
  auto started = table.start(std::move(request), {.id = "a"}, 1, one_word(std::move(gate)));
  EXPECT_TRUE(started);
  return started ? std::move(started->attachment) : nullptr;
}

std::string read(AnswerJob& job) {
  std::string out;
  std::size_t cursor = 0;
  for (int rounds = 0; rounds < 100; ++rounds) {
    const auto view = job.wait(cursor, false, soon(), {});
    for (const AnswerEvent& event : view.fresh) out += event.text;
    cursor += view.fresh.size();
    if (view.end) return out + ".";
    if (view.error) return out + "!";
  }
  return out;
}

struct JoiningCase {
  const char* name;
  bool has_session;
  bool first_reads_on;      // the first client is still there
  bool over;                // the answer has ended
  Delivery delivery;        // how the first client got it
  bool stream;              // what the second one asks for
  bool joins;
};

TEST(JobTable, WhoJoins) {
  const JoiningCase cases[] = {
      {"running, no session, read", false, true, false, Delivery::none, true, false},
      {"running, no session, left", false, false, false, Delivery::none, true, true},
      {"running, session, read", true, true, false, Delivery::none, true, true},
      {"running, session, left", true, false, false, Delivery::none, false, true},
      {"over, never delivered", false, false, true, Delivery::none, true, true},
      {"over, never delivered, session", true, false, true, Delivery::none, false, true},
      {"streamed, asked for whole", true, false, true, Delivery::stream, false, true},
      {"streamed, asked for a stream", true, false, true, Delivery::stream, true, false},
      {"streamed, no session", false, false, true, Delivery::stream, false, false},
      {"given whole", true, false, true, Delivery::whole, false, false},
      {"given whole, asked for a stream", true, false, true, Delivery::whole, true, false},
  };
  for (const JoiningCase& one : cases) {
    SCOPED_TRACE(one.name);
    const auto gate = std::make_shared<Gate>();
    JobTable table({.grace = long_time});
    auto first = start(table, same(one.has_session), gate);
    if (one.over) {
      gate->open();
      ASSERT_EQ(read(first->job()), "word.");
    }
    first->set_delivered(one.delivery);
    if (!one.first_reads_on) first.reset();
    const auto second = table.find(same(one.has_session, one.stream));
    EXPECT_EQ(second != nullptr, one.joins);
    gate->open();
    if (second) {
      EXPECT_EQ(read(second->job()), "word.");
    }
  }
}

TEST(JobTable, TellsOfWhatIsOnItsWayAndNotOfWhatIsOver) {
  JobTable table({.grace = long_time});
  EXPECT_TRUE(table.courses().empty());
  const auto first_gate = std::make_shared<Gate>(), second_gate = std::make_shared<Gate>();
  const auto first = start(table, {}, first_gate), second = start(table, {}, second_gate);
  EXPECT_EQ(table.courses().size(), 2U);
  first_gate->open();
  ASSERT_EQ(read(first->job()), "word.");
  const auto courses = table.courses();
  ASSERT_EQ(courses.size(), 1U);
  EXPECT_EQ(courses[0].stage, AnswerJob::Course::Stage::waiting);
  EXPECT_EQ(courses[0].prompt_tokens, 1U);
  second_gate->open();
  ASSERT_EQ(read(second->job()), "word.");
}

TEST(AnswerJob, WaitsThenReadsThenWritesThenIsOver) {
  using Stage = AnswerJob::Course::Stage;
  const Instant began = Instant(std::chrono::hours(1));
  AnswerJob job({.id = "a"}, 1000, began);
  ASSERT_TRUE(job.course());
  EXPECT_EQ(job.course()->stage, Stage::waiting);
  EXPECT_EQ(job.course()->prompt_tokens, 1000U);
  EXPECT_EQ(job.course()->read_tokens, 0U);
  EXPECT_EQ(job.course()->began, began);
  job.started(200);
  EXPECT_EQ(job.course()->stage, Stage::reading);
  EXPECT_EQ(job.course()->read_tokens, 200U);
  job.progress({.tokens_done = 600, .tokens_total = 999});
  EXPECT_EQ(job.course()->read_tokens, 600U);
  job.add({{.text = "word"}});
  EXPECT_EQ(job.course()->stage, Stage::writing);
  EXPECT_EQ(job.course()->read_tokens, 1000U);
  job.ended({});
  EXPECT_FALSE(job.course());
}

TEST(JobTable, AnotherKeyOrNoneIsNotJoined) {
  const auto gate = std::make_shared<Gate>();
  JobTable table({.grace = long_time});
  const auto keyed = start(table, same(true), gate);
  const auto unkeyed = start(table, {}, gate);
  Repetition other = same(true);
  other.key = blake2b(as_byte_span("another body"));
  EXPECT_EQ(table.find(other), nullptr);
  const auto joined = table.find(same(true));
  ASSERT_NE(joined, nullptr);
  EXPECT_EQ(&joined->job(), &keyed->job());
  EXPECT_NE(&joined->job(), &unkeyed->job());
}

TEST(JobTable, TwoAtOnceAreOneAnswer) {
  const auto gate = std::make_shared<Gate>();
  JobTable table({.grace = long_time});
  const auto first = start(table, same(true), gate);  // both looked before, and found nothing
  const auto second = table.start(same(true), {.id = "b"}, 1, one_word(gate));
  ASSERT_TRUE(second);
  EXPECT_TRUE(second->joined);
  EXPECT_EQ(&second->attachment->job(), &first->job());
  EXPECT_EQ(table.jobs(), 1U);
}

TEST(JobTable, FailedAnswersAreNotJoinedEvenWhileTheyAreRead) {
  JobTable table({.grace = long_time});
  const auto first = table.start(same(true), {.id = "a"}, 1, [](AnswerJob& job, const StopToken&) {
    job.failed({.message = "broken"});
  });
  ASSERT_TRUE(first);
  EXPECT_EQ(read(first->attachment->job()), "!");
  EXPECT_EQ(table.find(same(true)), nullptr);
}

TEST(JobTable, RefusesBeyondItsLimitAndTakesAgainAfterwards) {
  const auto gate = std::make_shared<Gate>();
  JobTable table({.jobs_max = 2, .grace = long_time});
  const auto first = start(table, {}, gate);
  const auto second = start(table, {}, gate);
  const auto third = table.start({}, {.id = "c"}, 1, one_word(gate));
  ASSERT_FALSE(third);
  EXPECT_EQ(third.error().kind, ApiError::Kind::overloaded);
  EXPECT_GT(third.error().retry_after.value_or(Duration::zero()), Duration::zero());
  gate->open();
  EXPECT_EQ(read(first->job()) + read(second->job()), "word.word.");
  EXPECT_TRUE(table.start({}, {.id = "d"}, 1, one_word(gate)));
}

TEST(JobTable, KeepsOnlySoManyFinishedAnswers) {
  const auto gate = std::make_shared<Gate>();
  gate->open();
  JobTable table({.finished_max = 3, .grace = long_time});
  const auto key = [](int i) {
    return Repetition{.key = blake2b(as_byte_span(std::to_string(i))), .has_session = true};
  };
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(read(start(table, key(i), gate)->job()), "word.");  // and never delivered
  }
  for (int i = 0; i < 10; ++i) EXPECT_EQ(table.find(key(i)) != nullptr, i >= 7) << i;
}

// Its client has left and the answer is given up, but its thread still closes what it had open.
TEST(JobTable, NobodyWaitsForAThreadThatPutsThingsAway) {
  const auto away = std::make_shared<Gate>(), open = std::make_shared<Gate>();
  open->open();
  std::atomic<bool> is_put_away = false;
  JobTable table({.jobs_max = 1, .grace = Duration::zero()});
  const auto slow = [away, &is_put_away](AnswerJob& job, const StopToken&) {
    job.add({{.text = "word"}});
    job.ended({});
    (void)away->pass(soon());
    is_put_away = true;
  };
  auto first = table.start({}, {.id = "a"}, 1, slow);
  ASSERT_TRUE(first);
  EXPECT_EQ(read(first->attachment->job()), "word.");
  first->attachment.reset();
  EXPECT_EQ(table.find(same(false)), nullptr);
  const auto second = start(table, {}, open);
  ASSERT_TRUE(second);
  EXPECT_EQ(read(second->job()), "word.");
  EXPECT_FALSE(is_put_away);
  away->open();
}

TEST(JobTable, GraceEnds) {
  const auto gate = std::make_shared<Gate>();
  gate->open();
  JobTable table({.grace = Duration::zero()});
  auto first = start(table, same(true), gate);
  EXPECT_EQ(read(first->job()), "word.");
  first.reset();
  EXPECT_EQ(table.find(same(true)), nullptr);
}

TEST(JobTable, DestructionStopsWhatRuns) {
  std::atomic<bool> stopped = false;
  {
    JobTable table({.grace = long_time});
    auto started = table.start({}, {.id = "a"}, 1, [&](AnswerJob& job, const StopToken& stop) {
      (void)job.wait(0, false, soon(), stop);
      stopped = stop.stop_requested();
    });
    ASSERT_TRUE(started);
  }
  EXPECT_TRUE(stopped);
}

// --- one job

TEST(AnswerJob, IsAbandonedOnlyWithoutReadersAndAfterItsGrace) {
  const Instant begin{};
  AnswerJob job({.id = "a"}, 1, begin);
  const auto after = [&](int s) { return begin + std::chrono::seconds(s); };
  const Duration grace = std::chrono::seconds(10);
  EXPECT_FALSE(job.abandon(after(9), grace));
  job.attach();
  EXPECT_FALSE(job.abandon(after(1000), grace));
  job.attach();
  job.detach(Delivery::none, after(1000));
  EXPECT_FALSE(job.abandon(after(2000), grace));
  job.detach(Delivery::none, after(2000));
  EXPECT_FALSE(job.abandon(after(2009), grace));
  EXPECT_FALSE(job.state().failed);
  EXPECT_TRUE(job.abandon(after(2010), grace));
  EXPECT_TRUE(job.state().failed);  // nobody joins it any more
}

TEST(AnswerJob, ReadersSeeTheSameFromTheStartAtTheirOwnPace) {
  AnswerJob job({.id = "a"}, 7, Instant{});
  job.started(3);
  job.add({{.text = "a"}, {.text = "b"}});
  const auto early = job.wait(0, false, soon(), {});
  EXPECT_EQ(early.fresh.size(), 2U);
  EXPECT_EQ(early.usage, (Usage{.prompt_tokens = 7, .cached_tokens = 3}));
  job.add({{.text = "c"}});
  job.ended({.usage = {.prompt_tokens = 7, .cached_tokens = 3, .answer_tokens = 3}});
  EXPECT_EQ(job.wait(2, false, soon(), {}).fresh.size(), 1U);
  EXPECT_EQ(read(job), "abc.");
  EXPECT_EQ(read(job), "abc.");
}

// What a step touches belongs to nobody else while it runs: the thread sanitizer looks at `said`.
TEST(AnswerJob, StepsAreTakenOneAtATimeByWhoeverWaits) {
  constexpr int words = 60;
  constexpr int rounds = 10;
  for (int round = 0; round < rounds; ++round) {
    const auto job = std::make_shared<AnswerJob>(AnswerInfo{.id = "a"}, 1, std::chrono::steady_clock::now());
    int said = 0;
    Thread owner("answer", [&] {
      job->drive([&](Deadline) {
        job->add({{.text = "w"}});
        if (++said == words) job->ended({});
      });
    });
    const auto follow = [&] {
      const Attachment reader(job);
      EXPECT_EQ(read(*job), std::string(words, 'w') + ".");
    };
    Thread first("reader", follow), second("reader", follow), whole("reader", [&] {
      const Attachment reader(job);
      EXPECT_EQ(job->wait_for_end(soon(), {}).fresh.size(), std::size_t{words});
    });
    owner.join();
    EXPECT_EQ(said, words);
  }
}

TEST(AnswerJob, WaitsForItsStartOrTheDeadline) {
  AnswerJob job({.id = "a"}, 7, Instant{});
  EXPECT_FALSE(job.wait(0, true, Deadline::after(Duration::zero()), {}).started);
  job.started(0);
  EXPECT_TRUE(job.wait(0, true, soon(), {}).started);
  StopSource stop;
  stop.request_stop();
  EXPECT_TRUE(job.wait(0, false, Deadline::never(), stop.token()).fresh.empty());
}

}  // namespace
}  // namespace hearth::gateway
