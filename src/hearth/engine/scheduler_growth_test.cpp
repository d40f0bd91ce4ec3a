// Answers get cells while they grow: what they may take, and from whom.
#include <gtest/gtest.h>

#include "hearth/base/random.h"
#include "hearth/engine/scheduler.h"
#include "hearth/engine/test_support.h"
#include "tests/support/scripted_engine.h"

namespace hearth::engine {
namespace {

constexpr Token end_token = 999;  // an answer to a prompt that ends with t has 998 - t tokens
constexpr std::uint32_t step_tokens = 64;
constexpr std::uint32_t unlimited = 100'000;

// A prompt whose answer ends by itself after `answer_tokens`.
std::vector<Token> prompt_for(std::size_t answer_tokens, std::size_t prompt_tokens) {
  const std::size_t next = 999 - answer_tokens;
  return run_of(prompt_tokens, static_cast<Token>((next + 10'000 - prompt_tokens) % 1000));
}

struct Machine {
  explicit Machine(std::uint32_t context_tokens, std::uint32_t sequences = 4)
      : engine({.context_tokens = context_tokens, .batch_tokens = 256, .ubatch_tokens = 128,
                .sequences = sequences, .vocabulary = 1000}) {
    engine.end_token = end_token;
  }
  std::shared_ptr<Recorder> generate(std::vector<Token> prompt, std::uint32_t tokens_max,
                                     StopToken stop = {}) {
    auto sink = std::make_shared<Recorder>();
    EXPECT_TRUE(scheduler.submit(
        GenerateRequest{.prompt = std::move(prompt), .tokens_max = tokens_max}, sink, stop));
    return sink;
  }
  void run_until_done(int steps_max = 20'000) {
    for (int i = 0; i < steps_max && scheduler.has_work(); ++i) {
      ASSERT_TRUE(scheduler.step()) << "nobody goes on";
      ASSERT_EQ(engine.refused_for_cells, 0);
    }
    ASSERT_FALSE(scheduler.has_work()) << "jobs do not end";
  }

  ManualClock clock;
  testing::ScriptedEngine engine;
  Scheduler scheduler{engine, clock, {.chunk_tokens = 256, .pending_jobs_max = 64,
                                      .answer_step_tokens = step_tokens}};
};

FinishReason reason_of(const Recorder& sink) { return sink.all<Finished>().at(0)->reason; }

TEST(SchedulerGrowth, AnAnswerGrowsFarBeyondOneStep) {
  Machine machine(4096);
  const auto sink = machine.generate(prompt_for(900, 10), unlimited);
  machine.run_until_done();
  EXPECT_EQ(sink->answer().size(), 900u);
  EXPECT_EQ(reason_of(*sink), FinishReason::end_of_generation);
}

TEST(SchedulerGrowth, ALargeLimitDoesNotCostAnIdleConversation) {
  Machine machine(1'000);
  machine.generate(prompt_for(1, 700), 1);
  machine.run_until_done();
  const auto side = machine.generate(prompt_for(30, 50), unlimited);
  machine.run_until_done();
  EXPECT_EQ(reason_of(*side), FinishReason::end_of_generation);
  const auto next = machine.generate(prompt_for(1, 700), 1);
  machine.run_until_done();
  EXPECT_EQ(next->all<PromptDone>().at(0)->reused_tokens, 699u);
}

TEST(SchedulerGrowth, LeasesThatAreGivenOutCanAllBeAnsweredFrom) {
  Machine machine(1'000);
  std::vector<LeaseId> leases;
  for (Token first = 0; first < 400; first += 100) {
    const auto lease = machine.scheduler.open_lease(run_of(300, first), std::chrono::hours(1));
    if (lease) leases.push_back(lease->lease);
  }
  EXPECT_EQ(leases.size(), 2u);  // 364 cells each; a third would have none for its answer
  std::vector<std::shared_ptr<Recorder>> sinks;
  for (std::size_t i = 0; i < leases.size(); ++i) {
    sinks.push_back(std::make_shared<Recorder>());
    ASSERT_TRUE(machine.scheduler.submit(
        GenerateRequest{.prompt = run_of(300, static_cast<Token>(100 * i)), .tokens_max = 20,
                        .lease = leases[i]}, sinks.back(), {}));
  }
  machine.run_until_done();
  for (const auto& sink : sinks) EXPECT_EQ(sink->answer().size(), 20u);
}

TEST(SchedulerGrowth, GrowthTakesTheLeastRecentlyUsedIdleSequenceOnly) {
  Machine machine(1'000);
  const auto old = run_of(300, 100), recent = run_of(300, 500);
  for (const auto& prompt : {old, recent}) {
    machine.generate(prompt, 1);
    machine.run_until_done();
  }
  const auto sink = machine.generate(prompt_for(500, 100), unlimited);
  machine.run_until_done();
  EXPECT_EQ(sink->answer().size(), 500u);
  const auto again = machine.generate(recent, 1);
  machine.run_until_done();
  EXPECT_EQ(again->all<PromptDone>().at(0)->reused_tokens, 299u);
}

TEST(SchedulerGrowth, WhoWaitsForCellsGetsThoseOfAJobThatEnds) {
  Machine machine(300);
  // Both fit with a step; the first needs the cells of the second to write on.
  const auto first = machine.generate(prompt_for(150, 50), unlimited);
  const auto second = machine.generate(prompt_for(70, 50), unlimited);
  machine.run_until_done();
  EXPECT_EQ(reason_of(*first), FinishReason::end_of_generation);
  EXPECT_EQ(reason_of(*second), FinishReason::end_of_generation);
  EXPECT_EQ(first->answer().size(), 150u);
}

TEST(SchedulerGrowth, WhenAllWaitTheYoungestEndsAndTheOthersGoOn) {
  Machine machine(300);
  const auto oldest = machine.generate(prompt_for(230, 50), unlimited);
  const auto youngest = machine.generate(prompt_for(230, 51), unlimited);
  machine.run_until_done();
  EXPECT_EQ(reason_of(*youngest), FinishReason::context_full);
  EXPECT_GE(youngest->answer().size(), step_tokens);
  EXPECT_EQ(reason_of(*oldest), FinishReason::end_of_generation);
  EXPECT_EQ(oldest->answer().size(), 230u);
}

TEST(SchedulerGrowth, CellsThatBecomeFreeGoToARunningAnswerBeforeANewcomer) {
  Machine machine(240);
  const auto first = machine.generate(prompt_for(140, 50), unlimited);
  while (first->answer().size() < 50) machine.scheduler.step();
  machine.generate(prompt_for(40, 50), unlimited);  // ends when the first has long been waiting
  machine.scheduler.step();
  const auto newcomer = machine.generate(prompt_for(5, 100), 5);
  for (int i = 0; i < 1'000 && !first->ended(); ++i) machine.scheduler.step();
  EXPECT_EQ(reason_of(*first), FinishReason::end_of_generation);
  EXPECT_TRUE(newcomer->events.empty());
  machine.run_until_done();
  EXPECT_EQ(newcomer->answer().size(), 5u);
}

// Random jobs on a small machine. The engine refuses a batch for which no cells are free, checks
// every position, and writes only right tokens to sequences that hold what they should.
class Simulation {
 public:
  explicit Simulation(std::uint64_t seed)
      : random_(seed), machine_(500 + static_cast<std::uint32_t>(random_.below(3'000)), 5) {}

  void run() {
    for (int round = 0; round < 300; ++round) {
      if (random_.chance(0.1)) submit();
      for (Running& job : jobs_) {
        job.sink->room = random_.chance(0.9);
        if (random_.chance(0.002)) job.stop->request_stop();
      }
      machine_.scheduler.step();
      check_cells();
    }
    for (Running& job : jobs_) job.sink->room = true;
    machine_.run_until_done();
    for (const Running& job : jobs_) check_answer(job);
  }

 private:
  // Sees how full the machine is when an answer ends for want of cells.
  class Watcher final : public JobSink {
   public:
    Watcher(Recorder& recorder, const testing::ScriptedEngine& engine)
        : recorder_(recorder), engine_(engine) {}
    bool has_room() override { return recorder_.has_room(); }
    void push(JobEvent event) override {
      if (std::holds_alternative<Finished>(event)) cells_at_end = engine_.cells_used();
      recorder_.push(std::move(event));
    }
    std::size_t cells_at_end = 0;

   private:
    Recorder& recorder_;
    const testing::ScriptedEngine& engine_;
  };
  struct Running {
    std::shared_ptr<Recorder> sink;
    std::shared_ptr<Watcher> watcher;
    std::shared_ptr<StopSource> stop;
    std::vector<Token> answer;  // if nothing cuts it short
    std::uint32_t tokens_max = 0;
    std::uint32_t prompt_tokens = 0;
  };

  std::uint32_t context_tokens() const { return machine_.engine.limits().context_tokens; }
  std::uint32_t sequences() const { return machine_.engine.limits().sequences; }

  void submit() {
    const std::size_t prompt_tokens = 1 + random_.below(context_tokens() / 2);
    const std::size_t answer_tokens = 1 + random_.below(random_.chance(0.3) ? 900 : 50);
    Running job{std::make_shared<Recorder>(), {}, std::make_shared<StopSource>(), {}, 0, 0};
    job.watcher = std::make_shared<Watcher>(*job.sink, machine_.engine);
    job.prompt_tokens = static_cast<std::uint32_t>(prompt_tokens);
    job.tokens_max = random_.chance(0.8) ? unlimited
                                         : 1 + static_cast<std::uint32_t>(random_.below(300));
    job.answer = run_of(answer_tokens, static_cast<Token>(999 - answer_tokens));
    const bool accepted =
        machine_.scheduler
            .submit(GenerateRequest{.prompt = prompt_for(answer_tokens, prompt_tokens),
                                    .tokens_max = job.tokens_max},
                    job.watcher, job.stop->token())
            .has_value();
    if (accepted) jobs_.push_back(std::move(job));
  }

  void check_cells() {
    ASSERT_EQ(machine_.engine.refused_for_cells, 0);
    ASSERT_LE(machine_.engine.cells_used(), context_tokens());
  }

  void check_answer(const Running& job) {
    ASSERT_TRUE(job.sink->ended());
    const std::vector<Token> answer = job.sink->answer();
    ASSERT_LE(answer.size(), job.answer.size());
    ASSERT_TRUE(std::equal(answer.begin(), answer.end(), job.answer.begin()));
    for (const Error* error : job.sink->all<Error>()) ASSERT_EQ(error->code, Code::cancelled);
    for (const Finished* finished : job.sink->all<Finished>()) {
      ASSERT_EQ(finished->answer_tokens, answer.size());
      switch (finished->reason) {
        case FinishReason::end_of_generation: ASSERT_EQ(answer.size(), job.answer.size()); break;
        case FinishReason::token_limit: ASSERT_EQ(answer.size(), job.tokens_max); break;
        case FinishReason::context_full:
          // No less than a step (smaller in a small context), or all there is; and it is true.
          ASSERT_GE(answer.size(), std::min({step_tokens, context_tokens() / (2 * sequences()),
                                             context_tokens() - job.prompt_tokens}));
          ASSERT_EQ(job.watcher->cells_at_end, context_tokens());
          break;
        default: FAIL() << finish_reason_name(finished->reason);
      }
    }
  }

  Random random_;
  Machine machine_;
  std::vector<Running> jobs_;
};

TEST(SchedulerGrowth, RandomJobsNeverTakeEachOthersCells) {
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    SCOPED_TRACE(seed);
    Simulation(seed).run();
    if (::testing::Test::HasFatalFailure()) return;
  }
}

// Two conversations of 1,200 tokens and four short requests at a time fit beside each other, so
// whatever the short ones ask for and however they come, the conversations stay.
TEST(SchedulerGrowth, LongIdleConversationsSurviveShortRequestsWithLargeLimits) {
  constexpr std::size_t conversation_tokens = 1'200, short_tokens_max = 60;
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    Machine machine(2 * conversation_tokens + 4 * (2 * short_tokens_max + step_tokens), 6);
    const auto one = run_of(conversation_tokens, 100), other = run_of(conversation_tokens, 600);
    for (const auto& prompt : {one, other}) {
      machine.generate(prompt, 1);
      machine.run_until_done();
    }
    for (int round = 0; round < 200; ++round) {
      const SchedulerStats stats = machine.scheduler.stats();
      if (stats.jobs_running + stats.jobs_pending < 4 && random.chance(0.2)) {
        machine.generate(prompt_for(1 + random.below(short_tokens_max),
                                    1 + random.below(short_tokens_max)),
                         unlimited);
      }
      machine.scheduler.step();
    }
    if (machine.scheduler.has_work()) machine.run_until_done();
    for (const auto& prompt : {one, other}) {
      const auto sink = machine.generate(prompt, 1);
      machine.run_until_done();
      ASSERT_EQ(sink->all<PromptDone>().at(0)->reused_tokens, conversation_tokens - 1);
    }
  }
}

}  // namespace
}  // namespace hearth::engine
