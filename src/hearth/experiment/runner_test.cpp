// Real processes, real files, real kills.
#include "hearth/experiment/runner.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

#include "hearth/base/thread.h"

namespace hearth::experiment {
namespace {

class RunnerTest : public testing::Test {
 protected:
  std::filesystem::path home() const { return folder_.path(); }
  // Each run of a step adds a line to `count`, so that repetitions are seen.
  std::string step(const std::string& name, const std::string& script, const std::string& more = "") const {
    return "[[phase.step]]\nname = \"" + name + "\"\ncommand = [\"sh\", \"-c\", '''echo x >> " + name + ".count; " + script + "''']\n" + more;
  }
  static std::string phase(const std::string& name) { return "[[phase]]\nname = \"" + name + "\"\n"; }
  Result<Runner> open(const std::string& phases, const std::string& head = "") const {
    const std::string text = "name = \"e\"\nquestion = \"?\"\n" + head + phases;
    auto spec = TRY(read_spec(text, "e.toml"));
    return Runner::open(std::move(spec), {.directory = home() / "results", .working_directory = home(), .text = text,
                                          .hearth = "/bin/false",
                                          .environment = Json::object({{"host", "here"}}), .wall_time = [] { return "t"; },
                                          .tell = [](const std::string&) {}});
  }
  std::size_t count(const std::string& name) const {
    std::ifstream file(home() / (name + ".count"));
    return static_cast<std::size_t>(std::count(std::istreambuf_iterator<char>(file), {}, '\n'));
  }
  void write(const std::string& name, std::string_view text) const { std::ofstream(home() / name, std::ios::trunc) << text; }

  TemporaryDirectory folder_ = TemporaryDirectory::create("hearth-experiment").value();
};

TEST_F(RunnerTest, RunsEachStepOnceAndKeepsItsEvidence) {
  const std::string phases = phase("one") + step("a", "echo '{\"x\": 1}'; echo words >&2") + "[phase.gate]\nconditions = [\"a.x == 1\"]\n" +
                             phase("two") + step("b", "echo plain text");
  for (int i = 0; i < 2; ++i) {
    auto runner = open(phases);
    ASSERT_TRUE(runner) << runner.error().message;
    const auto ended = runner->run({});
    ASSERT_TRUE(ended) << ended.error().message;
    EXPECT_EQ(*ended, RunEnd::finished);
    EXPECT_EQ(*(*runner->result_of("a"))->find("x"), Json(1));
    EXPECT_EQ(*(*runner->result_of("b"))->find("text"), Json("plain text\n"));
  }
  EXPECT_EQ(count("a"), 1u);
  EXPECT_EQ(count("b"), 1u);
  EXPECT_EQ(read_text_file(home() / "results/evidence/a/1/errors.log", 100).value(), "words\n");
  EXPECT_TRUE(parse_json(read_text_file(home() / "results/evidence/a/1/command.json", 10000).value()));
}

TEST_F(RunnerTest, AClosedGateStopsAndSaysWhatClosedIt) {
  const std::string phases = phase("one") + step("a", "echo '{\"x\": 1}'") + "[phase.gate]\nconditions = [\"a.x == 2\"]\n" +
                             phase("two") + step("b", "echo 1");
  auto runner = open(phases).value();
  EXPECT_EQ(runner.run({}).value(), RunEnd::gate_closed);
  EXPECT_EQ(count("b"), 0u);
  EXPECT_EQ(runner.progress().phases[0].gate_why.at(0), "a.x is 1, which is not == 2");
  EXPECT_FALSE(runner.open_gate("one", ""));
  EXPECT_FALSE(runner.open_gate("none", "x"));
  ASSERT_TRUE(runner.open_gate("one", "we know"));
  EXPECT_EQ(runner.run({}).value(), RunEnd::finished);
  EXPECT_EQ(count("b"), 1u);
  EXPECT_FALSE(runner.open_gate("two", "it is open"));
}

TEST_F(RunnerTest, FailuresAreNoResultsAndAreTriedAgain) {
  const std::string phases = phase("one") + step("a", "test -e here && echo '{}'");
  EXPECT_EQ(open(phases)->run({}).error().code, Code::unavailable);
  const auto error = open(phases)->run({}).error().message;
  EXPECT_NE(error.find("exit code 1"), std::string::npos) << error;
  EXPECT_NE(error.find("errors.log"), std::string::npos) << error;
  write("here", "");
  EXPECT_TRUE(open(phases)->run({}));
  EXPECT_EQ(count("a"), 3u);

  const std::string slow = phase("one") + step("a", "sleep 60 & wait", "time_max_s = 1\n");
  std::filesystem::remove_all(home() / "results");
  EXPECT_NE(open(slow)->run({}).error().message.find("longer than 1 s"), std::string::npos);
}

TEST_F(RunnerTest, WhatACommandStartsMayReadItsInput) {
  auto runner = open(phase("one") + step("a", "echo $${HEARTH_ENDS_WITH_INPUT:-reads}")).value();
  ASSERT_EQ(runner.run({}).value(), RunEnd::finished);
  EXPECT_EQ(*(*runner.result_of("a"))->find("text"), Json("reads\n"));
}

TEST_F(RunnerTest, StopEndsTheStepWithAllItsChildren) {
  const std::string phases = phase("one") + step("a", "sleep 300 & echo $$! > pid; wait");
  StopSource stop;
  Result<RunEnd> ended = fail(Code::internal, "");
  {
    auto runner = open(phases).value();
    const Thread other("stopper", [&] {
      for (int i = 0; i < 500 && !std::filesystem::exists(home() / "pid"); ++i) (void)stopped_while_waiting({}, Deadline::after(std::chrono::milliseconds(10)));
      stop.request_stop();
    });
    ended = runner.run(stop.token());
  }
  ASSERT_FALSE(ended);
  EXPECT_EQ(ended.error().code, Code::cancelled);
  const int pid = std::stoi(read_text_file(home() / "pid", 100).value());
  for (int i = 0; i < 500 && ::kill(pid, 0) == 0; ++i) (void)stopped_while_waiting({}, Deadline::after(std::chrono::milliseconds(10)));
  EXPECT_NE(::kill(pid, 0), 0);
}

// At a different moment each time; nothing that was finished is measured again.
TEST_F(RunnerTest, AfterKillsAtAnyMomentNoFinishedMeasurementIsRepeated) {
  std::string phases;
  for (const std::string name : {"a", "b", "c", "d"}) phases += phase("phase-" + name) + step(name, "sleep 0.05; echo '{\"x\": 1}'");
  std::size_t kills = 0;
  for (int round = 0; round < 100; ++round) {
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      auto runner = open(phases);
      _exit(runner && runner->run({}) ? 0 : 1);
    }
    // The n-th kill comes n times 7 ms after the start, from the second round on at another place.
    (void)stopped_while_waiting({}, Deadline::after(std::chrono::milliseconds(20 + 7 * (round % 20))));
    ::kill(child, SIGKILL);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) break;
    ++kills;
  }
  auto runner = open(phases).value();
  ASSERT_TRUE(runner.run({}));
  EXPECT_GT(kills, 0u);
  std::size_t ended = 0;
  for (const Event& event : runner.events()) ended += event.kind == "step_ended" && *event.facts.find("accepted") == Json(true);
  EXPECT_EQ(ended, 4u) << "each step has one result";
}

TEST_F(RunnerTest, WhatAPhaseIsRunWithIsKeptAsItBegins) {
  std::filesystem::create_directory(home() / "far");
  write("pair.toml", "one");
  write("far/pair.toml", "far");
  const std::string phases =
      phase("first") + step("a", "echo two > pair.toml") +
      "[[phase.step]]\nname = \"b\"\ncommand = [\"true\", \"pair.toml\", \"split=far/pair.toml\", \"none.toml\"]\n" +
      phase("second") + "[[phase.step]]\nname = \"c\"\ncommand = [\"true\", \"--cluster\", \"pair.toml\"]\n";
  auto runner = open(phases).value();
  ASSERT_TRUE(runner.run({}));
  const auto kept = [&](const std::string& name) {
    return read_text_file(home() / "results/evidence" / name, 10'000).value_or("none");
  };
  EXPECT_EQ(kept("phase.first/experiment.toml"), "name = \"e\"\nquestion = \"?\"\n" + phases);
  EXPECT_EQ(kept("phase.first/pair.toml") + " " + kept("phase.first/other-pair.toml"), "far one");
  EXPECT_EQ(kept("phase.first/none.toml"), "none");
  EXPECT_EQ(kept("phase.second/pair.toml"), "two\n");
  std::vector<std::size_t> recorded;
  for (const Event& event : runner.events()) {
    if (event.kind == "phase_began") recorded.push_back(event.facts.find("configuration")->as_object().size());
  }
  EXPECT_EQ(recorded, (std::vector<std::size_t>{3, 2}));
}

TEST_F(RunnerTest, AWatchedFileThatChangesVoidsTheRun) {
  write("model", "one");
  const std::string head = "watch = [\"model\"]\n";
  const std::string phases = phase("one") + step("a", "echo '{}'") + step("b", "echo two > model; echo '{}'") + step("c", "echo '{}'");
  const auto ended = open(phases, head)->run({});
  ASSERT_FALSE(ended);
  EXPECT_NE(ended.error().message.find("watched file changed"), std::string::npos) << ended.error().message;
  const auto again = open(phases, head)->run({});
  ASSERT_FALSE(again);
  EXPECT_NE(again.error().message.find("not the file that the results so far are of"), std::string::npos) << again.error().message;
  EXPECT_EQ(count("c"), 0u);
}

TEST_F(RunnerTest, WhatIsWatchedMayBeTakenBackOrNamedTwice) {
  write("model", "one");
  const std::string phases = phase("one") + step("a", "echo '{}'") + step("b", "test -e go && echo '{}'");
  ASSERT_FALSE(open(phases, "watch = [\"model\", \"model\"]\n")->run({}));
  EXPECT_EQ(count("a"), 1u);
  write("go", "");
  const auto ended = open(phases)->run({});
  EXPECT_TRUE(ended) << ended.error().message;
  EXPECT_EQ(count("a"), 1u);
}

TEST_F(RunnerTest, EvidenceThatWasChangedIsNoticed) {
  const std::string phases = phase("one") + step("a", "echo '{\"x\": 1}'");
  ASSERT_TRUE(open(phases)->run({}));
  std::ofstream(home() / "results/evidence/a/1/output.json", std::ios::trunc) << "{\"x\": 2}";
  const auto result = open(phases)->result_of("a");
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Code::corrupt);
  auto runner = open(phases).value();
  ASSERT_TRUE(runner.measure_again("a"));
  EXPECT_FALSE(runner.measure_again("none"));
  ASSERT_TRUE(runner.run({}));
  EXPECT_EQ(*(*runner.result_of("a"))->find("x"), Json(1));
}

TEST_F(RunnerTest, AVerbMustAnswerInJson) {
  const auto ended = open(phase("one") + "[[phase.step]]\nname = \"a\"\nverb = [\"plan\"]\n")->run({});
  ASSERT_FALSE(ended);
  EXPECT_NE(ended.error().message.find("not one JSON document"), std::string::npos) << ended.error().message;
  EXPECT_FALSE(open(phase("one") + "[[phase.step]]\nname = \"b\"\ncommand = [\"no-such-program-anywhere\"]\n")->run({}));
}

}  // namespace
}  // namespace hearth::experiment
