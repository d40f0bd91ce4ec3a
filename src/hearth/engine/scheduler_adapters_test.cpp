// Jobs with different adapters in one scheduler: never in one batch, never on each other's cells.

#include <gtest/gtest.h>

#include "hearth/engine/scheduler.h"
#include "hearth/engine/test_support.h"
#include "tests/support/scripted_engine.h"

namespace hearth::engine {
namespace {

class SchedulerAdapters : public ::testing::Test {
 protected:
  static constexpr EngineLimits limits{.context_tokens = 4096, .batch_tokens = 256, .ubatch_tokens = 128,
                                       .sequences = 4, .vocabulary = 1000, .adapter_sets = 2};
  ManualClock clock;
  testing::ScriptedEngine engine{limits};
  Scheduler scheduler{engine, clock, {.chunk_tokens = 256, .steps_per_adapter_set = 2}};

  std::shared_ptr<Recorder> generate(std::string adapter, std::vector<Token> prompt, std::uint32_t tokens_max) {
    auto sink = std::make_shared<Recorder>();
    EXPECT_TRUE(scheduler.submit(
        GenerateRequest{.prompt = std::move(prompt), .tokens_max = tokens_max, .adapter = std::move(adapter)}, sink, {}));
    return sink;
  }
  void run_until_done() {
    for (int i = 0; i < 10'000 && scheduler.has_work(); ++i) scheduler.step();
    EXPECT_FALSE(scheduler.has_work()) << "jobs do not end";
  }
  std::vector<std::uint32_t> sets_used() const {
    std::vector<std::uint32_t> out;
    for (const AdapterSetId set : engine.adapters_used) out.push_back(set.value);
    return out;
  }
  static std::uint32_t reused(const Recorder& sink) { return sink.all<PromptDone>().at(0)->reused_tokens; }
};

TEST_F(SchedulerAdapters, EachAnswerIsWhatItsSetWrites) {
  const auto bare = generate("", run_of(5), 3);
  const auto first = generate("set 1", run_of(5), 3);
  const auto second = generate("set 2", run_of(5), 3);
  run_until_done();  // the scripted engine checks that no batch and no sequence mixes them
  EXPECT_EQ(bare->answer(), (std::vector<Token>{5, 6, 7}));
  EXPECT_EQ(first->answer(), (std::vector<Token>{6, 8, 10}));
  EXPECT_EQ(second->answer(), (std::vector<Token>{7, 10, 13}));
}

TEST_F(SchedulerAdapters, SetsThatHaveWorkTakeTurns) {
  generate("", {1}, 5);
  generate("set 2", {1}, 5);
  run_until_done();
  EXPECT_EQ(sets_used(), (std::vector<std::uint32_t>{0, 0, 2, 2, 0, 0, 2, 2, 0, 2}));
}

TEST_F(SchedulerAdapters, ASetAloneIsNotInterrupted) {
  generate("set 1", {1}, 5);
  run_until_done();
  EXPECT_EQ(sets_used(), (std::vector<std::uint32_t>(5, 1)));
}

TEST_F(SchedulerAdapters, ReusesWhatItsOwnSetComputed) {
  for (const std::string name : {"", "set 1", "set 2"}) {
    const auto cold = generate(name, run_of(100), 1);
    run_until_done();
    EXPECT_EQ(reused(*cold), 0u) << name;
  }
  for (const std::string name : {"", "set 1", "set 2"}) {
    const auto warm = generate(name, run_of(100), 1);
    run_until_done();
    EXPECT_EQ(reused(*warm), 99u) << name;
  }
}

TEST_F(SchedulerAdapters, ALeaseTakesKvOfItsSetAlone) {
  const auto leased = scheduler.open_lease(run_of(100), std::chrono::seconds(10), AdapterSetId{1});
  ASSERT_TRUE(leased);
  const auto tokens = run_of(50);
  const ByteSpan blob = std::as_bytes(std::span(tokens));
  const auto refused = scheduler.import_state(leased->lease, {0, 50}, tokens, blob);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::invalid_argument);
  EXPECT_TRUE(scheduler.import_state(leased->lease, {0, 50}, tokens, blob, {.adapters = AdapterSetId{1}}));
  EXPECT_FALSE(scheduler.export_held(tokens, {0, 50})->has_value());
  EXPECT_TRUE(scheduler.export_held(tokens, {0, 50}, AdapterSetId{1})->has_value());
  EXPECT_FALSE(scheduler.export_held(tokens, {0, 50}, AdapterSetId{2})->has_value());
}

TEST_F(SchedulerAdapters, RefusesASetThatIsNotLoaded) {
  const auto refused = scheduler.submit(GenerateRequest{.prompt = run_of(5), .adapter = "set 3"},
                                        std::make_shared<Recorder>(), {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::invalid_argument);
}

}  // namespace
}  // namespace hearth::engine
