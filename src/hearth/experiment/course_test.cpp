#include "hearth/experiment/course.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace hearth::experiment {
namespace {

constexpr const char* text = R"(
name = "small"
question = "Does it work?"
otherwise = "no"
[[phase]]
name = "one"
  [[phase.step]]
  name = "look"
  kind = "check"
  exits = [0, 1]
  [[phase.prediction]]
  text = "it is well"
  holds_if = "look:ok == 1"
  [[phase.gate]]
  text = "nothing blocks"
  open_if = "look:ok == 1"
[[phase]]
name = "two"
  [[phase.step]]
  name = "run"
  kind = "bench"
  arguments = ["-t", "worker=x.gguf"]
[[decision]]
text = "yes"
if = "run:rows[target=worker].decode_tok_s > 5"
)";

Design design() { return parse_design(text, "e.toml").value(); }

// Does what the course says, with documents by step.
std::string walk(Course& course, const Design& what, const Results& results, std::vector<Event>& journal) {
  for (;;) {
    const Action action = course.next();
    if (action.kind == Action::Kind::nothing) return action.why;
    const PhaseDesign& phase = what.phases[action.phase];
    std::vector<Event> events;
    if (action.kind == Action::Kind::start_phase) events = {{.kind = Event::Kind::phase_started, .phase = phase.name, .digest = predictions_digest(phase)}};
    if (action.kind == Action::Kind::run_step) {
      const StepDesign& step = phase.steps[action.step];
      events = {{.kind = Event::Kind::step_started, .step = step.name, .digest = step_digest(step)}, {.kind = Event::Kind::step_ended, .step = step.name}};
    }
    if (action.kind == Action::Kind::judge_gate) {
      const GateJudgement found = judge_gate(phase, results);
      events = {{.kind = Event::Kind::gate_judged, .phase = phase.name, .text = found.why, .open = found.open}};
    }
    if (action.kind == Action::Kind::decide) events = {{.kind = Event::Kind::decided, .text = decide(what, results)}};
    for (const Event& event : events) {
      journal.push_back(event);
      const auto applied = course.apply(event);
      EXPECT_TRUE(applied) << applied.error().message;
      if (!applied) return "refused";
    }
  }
}

Results good() {
  return {{"look", Json::object({{"ok", true}})}, {"run", parse_json(R"({"rows":[{"target":"worker","decode_tok_s":7}]})").value()}};
}

TEST(Course, GoesThroughAllPhasesToADecision) {
  const Design what = design();
  Course course(what);
  std::vector<Event> journal;
  EXPECT_EQ(walk(course, what, good(), journal), "done");
  EXPECT_EQ(course.decision(), "yes");
  EXPECT_EQ(course.phases()[1].state, PhaseState::done);
}

TEST(Course, AClosedGateStopsAndSaysWhat) {
  const Design what = design();
  Course course(what);
  std::vector<Event> journal;
  const std::string why = walk(course, what, {{"look", Json::object({{"ok", false}})}}, journal);
  EXPECT_NE(why.find("nothing blocks"), std::string::npos) << why;
  EXPECT_NE(why.find("0 == 1 does not hold"), std::string::npos) << why;
  EXPECT_EQ(course.phases()[1].state, PhaseState::waiting);
  course.forget_failures();
  EXPECT_EQ(course.next().kind, Action::Kind::judge_gate);
}

TEST(Course, AJournalCutAnywhereGoesOnToTheSameEndAndRepeatsNoFinishedStep) {
  const Design what = design();
  std::vector<Event> whole;
  {
    Course course(what);
    walk(course, what, good(), whole);
  }
  for (std::size_t cut = 0; cut <= whole.size(); ++cut) {
    Course course(what);
    std::size_t ended_before = 0;
    for (std::size_t i = 0; i < cut; ++i) {
      ASSERT_TRUE(course.apply(whole[i]));
      if (whole[i].kind == Event::Kind::step_ended) ++ended_before;
    }
    std::vector<Event> rest;
    EXPECT_EQ(walk(course, what, good(), rest), "done");
    EXPECT_EQ(std::ranges::count(rest, Event::Kind::step_ended, &Event::kind), static_cast<std::ptrdiff_t>(2 - ended_before));
  }
}

TEST(Course, PredictionsAndStepsCannotBeChangedAfterwards) {
  const Design what = design();
  std::vector<Event> journal;
  {
    Course course(what);
    walk(course, what, good(), journal);
  }
  Design other = what;
  other.phases[0].predictions[0].text = "it is not well";
  Course changed(other);
  const auto refused = changed.apply(journal[0]);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("predictions were changed"), std::string::npos);
  Design third = what;
  third.phases[0].steps[0].arguments = {"--no-smoke"};
  Course stepped(third);
  ASSERT_TRUE(stepped.apply(journal[0]));
  EXPECT_FALSE(stepped.apply(journal[1]));
}

TEST(Course, AStepThatFailsStopsItUntilItIsTriedAgain) {
  const Design what = design();
  Course course(what);
  ASSERT_TRUE(course.apply({.kind = Event::Kind::phase_started, .phase = "one", .digest = predictions_digest(what.phases[0])}));
  ASSERT_TRUE(course.apply({.kind = Event::Kind::step_ended, .step = "look", .exit = 3}));
  EXPECT_NE(course.next().why.find("exit code 3"), std::string::npos);
  course.forget_failures();
  EXPECT_EQ(course.next().kind, Action::Kind::run_step);
  EXPECT_FALSE(course.apply({.kind = Event::Kind::step_ended, .step = "nobody"}));
  EXPECT_FALSE(course.apply({.kind = Event::Kind::step_ended, .step = "run"}));  // its phase has not begun
}

TEST(Event, ComesBackAsItWasWritten) {
  const Event event{.kind = Event::Kind::gate_judged, .at_s = 5, .phase = "one", .text = "why \"so\"", .exit = 2, .seconds = 1.5, .open = true};
  EXPECT_EQ(parse_event(dump_json(event_json(event))).value(), event);
  for (const char* line : {"", "{}", "{\"event\":\"nothing\"}"}) EXPECT_FALSE(parse_event(line));
}

TEST(Design, FaultsNameFileLineAndTheRightForm) {
  const std::pair<const char*, const char*> faults[] = {
      {"name = 'x'\nquestion = 'q'", "at least one [[phase]]"},
      {"name = 'X y'\nquestion = 'q'", "e.toml:1: : name: 'X y' names a folder"},
      {"nam = 'x'", "e.toml:1: : nam: is not known here"},
      {"name = 'x'\nquestion = 'q'\n[[phase]]\nname = 'p'", "at least one [[phase.step]]"},
      {"name = 'x'\nquestion = 'q'\n[[phase]]\nname = 'p'\n[[phase.step]]\nname = 's'\nkind = 'dance'", "e.toml:7: phase.step: kind: 'dance' is none of plan, check"},
      {"name = 'x'\nquestion = 'q'\n[[phase]]\nname = 'p'\n[[phase.step]]\nname = 's'\nkind = 'plan'\n[[phase.gate]]\nopen_if = 'later:ok == 1'", "asks for step later"},
      {"name = 'x'\nquestion = 'q'\n[[phase]]\nname = 'p'\n[[phase.step]]\nname = 's'\nkind = 'plan'\n[[phase.gate]]\nopen_if = 's:ok'", "compares nothing"},
      {"name = 'x'\nquestion = 'q'\n[[phase]]\nname = 'p'\n[[phase.step]]\nname = 's'\nkind = 'plan'\narguments = [3]", "texts in quotes"},
  };
  for (const auto& [toml, says] : faults) {
    const auto read = parse_design(toml, "e.toml");
    ASSERT_FALSE(read) << toml;
    EXPECT_EQ(read.error().code, Code::invalid_argument);
    EXPECT_NE(read.error().message.find(says), std::string::npos) << read.error().message;
  }
}

TEST(Condition, ComparesNumbersOutOfResults) {
  const Results results = {{"bench", parse_json(R"({"rows":[{"target":"a","n":512,"ttft_ms":100,"ok":true},{"target":"b","n":512,"ttft_ms":150},{"target":"b","n":2048,"ttft_ms":900}],"findings":[1,2]})").value()}};
  const auto outcome = [&](const char* written) {
    const auto condition = parse_condition(written);
    EXPECT_TRUE(condition) << condition.error().message;
    return condition ? judge(*condition, results).outcome : Outcome::unknown;
  };
  EXPECT_EQ(outcome("bench:rows[target=b,n=2048].ttft_ms > 8 * bench:rows[target=a].ttft_ms"), Outcome::holds);
  EXPECT_EQ(outcome("bench:rows[0].ttft_ms >= 100.5"), Outcome::fails);
  EXPECT_EQ(outcome("bench:rows[0].ok == 1"), Outcome::holds);
  EXPECT_EQ(outcome("bench:findings != 2"), Outcome::fails);
  EXPECT_EQ(outcome("bench:rows[7].ttft_ms > 0"), Outcome::unknown);
  EXPECT_EQ(outcome("bench:rows[target=c].ttft_ms > 0"), Outcome::unknown);
  EXPECT_EQ(outcome("other:x > 0"), Outcome::unknown);
  EXPECT_EQ(outcome("1 < 2"), Outcome::holds);
  for (const char* wrong : {"", "bench:rows", "bench: > 1", "x > 1", "bench:rows[a > 1", "bench:rows[a] > 1", "two * bench:x > 1", "bench:a..b > 1", "bench:a. > 1"}) {
    EXPECT_FALSE(parse_condition(wrong)) << wrong;
  }
}

}  // namespace
}  // namespace hearth::experiment
