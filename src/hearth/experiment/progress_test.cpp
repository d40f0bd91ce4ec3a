#include "hearth/experiment/progress.h"

#include <gtest/gtest.h>

#include "hearth/base/random.h"

namespace hearth::experiment {
namespace {

Spec two_phases(std::string_view argument = "1", std::string_view prediction = "first.x == 1") {
  return read_spec(std::string(R"(name = "e"
question = "?"
[[phase]]
name = "one"
[[phase.step]]
name = "first"
command = ["echo", ")") + std::string(argument) + R"("]
[[phase.step]]
name = "second"
command = ["echo", "2"]
[[phase.prediction]]
name = "p"
statement = "s"
holds = ")" + std::string(prediction) + R"("
[phase.gate]
conditions = ["first.x == 1"]
[[phase]]
name = "two"
[[phase.step]]
name = "third"
command = ["echo", "3"]
)", "e.toml").value();
}

// The driver, without processes.
class Script {
 public:
  explicit Script(Spec spec) : spec_(std::move(spec)) {}
  Action next() const { return next_action(spec_, replay(spec_, events_)); }
  void began(std::string_view step, std::uint32_t attempt) { add("step_began", {{"step", step}, {"attempt", attempt}}); }
  void ended(std::string_view step, std::uint32_t attempt, bool accepted = true) {
    add("step_ended", {{"step", step}, {"attempt", attempt}, {"accepted", accepted}, {"why", accepted ? "" : "broke"},
                       {"definition_digest", spec_.find_step(step)->digest().hex()}});
  }
  void done(std::string_view step, std::uint32_t attempt = 1) {
    began(step, attempt);
    ended(step, attempt);
  }
  void begin(std::size_t phase) {
    add("phase_began", {{"phase", spec_.phases[phase].name}, {"predictions_digest", digest_of_predictions(spec_.phases[phase])}});
  }
  void gate(std::size_t phase, bool open) { add("gate", {{"phase", spec_.phases[phase].name}, {"open", open}, {"why", Json::array({"because"})}}); }
  void add(std::string kind, Json::Object facts) { events_.push_back({std::move(kind), Json::object(std::move(facts)), "t"}); }
  Progress progress() const { return replay(spec_, events_); }
  void change(Spec spec) { spec_ = std::move(spec); }

 private:
  Spec spec_;
  std::vector<Event> events_;
};

bool runs(const Action& action, std::size_t phase, std::size_t step) {
  const auto* run = std::get_if<RunStep>(&action);
  return run != nullptr && run->phase == phase && run->step == step;
}

TEST(ExperimentProgress, GoesThroughAllAndRepeatsNothing) {
  Script script(two_phases());
  EXPECT_TRUE(std::holds_alternative<BeginPhase>(script.next()));
  script.begin(0);
  EXPECT_TRUE(runs(script.next(), 0, 0));
  script.done("first");
  EXPECT_TRUE(runs(script.next(), 0, 1));
  script.done("second");
  EXPECT_TRUE(std::holds_alternative<JudgeGate>(script.next()));
  script.gate(0, true);
  EXPECT_TRUE(std::holds_alternative<BeginPhase>(script.next()));
  script.begin(1);
  script.done("third");
  EXPECT_TRUE(std::holds_alternative<JudgeGate>(script.next()));
  script.gate(1, true);
  EXPECT_TRUE(std::holds_alternative<Finished>(script.next()));
}

TEST(ExperimentProgress, AnInterruptedStepIsBegunAgain) {
  Script script(two_phases());
  script.begin(0);
  script.began("first", 1);
  EXPECT_TRUE(runs(script.next(), 0, 0));
  EXPECT_EQ(script.progress().phases[0].steps[0].attempts, 1u);
  script.done("first", 2);
  EXPECT_EQ(script.progress().phases[0].steps[0].result_attempt, 2u);
  EXPECT_TRUE(runs(script.next(), 0, 1));
}

TEST(ExperimentProgress, AClosedGateStopsUntilAPersonOpensIt) {
  Script script(two_phases());
  script.begin(0);
  script.done("first");
  script.done("second");
  script.gate(0, false);
  EXPECT_TRUE(std::holds_alternative<GateClosed>(script.next()));
  script.add("gate_opened", {{"phase", "one"}, {"because", "known"}});
  EXPECT_TRUE(std::holds_alternative<BeginPhase>(script.next()));
  EXPECT_EQ(script.progress().phases[0].opened_because, "known");
}

TEST(ExperimentProgress, MeasuringAgainJudgesTheGateAgain) {
  Script script(two_phases());
  script.begin(0);
  script.done("first");
  script.done("second");
  script.gate(0, false);
  script.add("step_void", {{"step", "first"}, {"why", "asked"}});
  EXPECT_TRUE(runs(script.next(), 0, 0));
  script.done("first", 2);
  EXPECT_TRUE(std::holds_alternative<JudgeGate>(script.next()));
}

TEST(ExperimentProgress, AFailedStepIsTriedAgainByTheNextRun) {
  Script script(two_phases());
  script.begin(0);
  script.began("first", 1);
  script.ended("first", 1, false);
  EXPECT_EQ(script.progress().phases[0].steps[0].why, "broke");
  EXPECT_TRUE(runs(script.next(), 0, 0));
}

TEST(ExperimentProgress, WhatWasRecordedIsNotChangedBehindItsBack) {
  Script script(two_phases());
  script.begin(0);
  script.done("first");
  script.change(two_phases("other"));
  const Action changed = script.next();
  ASSERT_TRUE(std::holds_alternative<Refused>(changed));
  EXPECT_NE(std::get<Refused>(changed).why.find("--again first"), std::string::npos);
  script.add("step_void", {{"step", "first"}, {"why", "asked"}});
  EXPECT_TRUE(runs(script.next(), 0, 0));

  script.change(two_phases("1", "first.x == 2"));
  const Action predicted = script.next();
  ASSERT_TRUE(std::holds_alternative<Refused>(predicted));
  EXPECT_NE(std::get<Refused>(predicted).why.find("predictions of phase 'one'"), std::string::npos);
}

// Events in any order and of any content: no crash, and never a finished experiment without results.
TEST(ExperimentProgress, AnyEventsLeaveAProgress) {
  const Spec spec = two_phases();
  const std::string kinds[] = {"phase_began", "step_began", "step_ended", "step_void", "gate", "gate_opened", "files_seen", "other"};
  const std::string names[] = {"one", "two", "first", "second", "third", "none"};
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    Random random(seed);
    std::vector<Event> events;
    for (int i = 0; i < 30; ++i) {
      events.push_back({kinds[random.below(std::size(kinds))],
                        Json::object({{"phase", names[random.below(std::size(names))]}, {"step", names[random.below(std::size(names))]},
                                      {"attempt", random.below(4)}, {"accepted", random.below(2) == 0}, {"open", random.below(2) == 0},
                                      {"definition_digest", spec.find_step("first")->digest().hex()},
                                      {"predictions_digest", digest_of_predictions(spec.phases[0])}}),
                        "t"});
    }
    const Progress progress = replay(spec, events);
    if (!std::holds_alternative<Finished>(next_action(spec, progress))) continue;
    for (const PhaseProgress& phase : progress.phases) {
      for (const StepProgress& step : phase.steps) EXPECT_EQ(step.state, StepState::done) << seed;
    }
  }
}

}  // namespace
}  // namespace hearth::experiment
