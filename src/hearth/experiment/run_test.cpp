// Whole experiments with small programs as their steps, and crashes between and within them.
#include "hearth/experiment/run.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>

namespace hearth::experiment {
namespace {

namespace fs = std::filesystem;

// Each step adds a line to a file, so that one can see how often it ran.
constexpr const char* text = R"(
name = "shell"
question = "Do steps run once?"
[[phase]]
name = "first"
  [[phase.step]]
  name = "a"
  kind = "command"
  arguments = ["/bin/sh", "-c", "echo a >> {evidence}/ran; echo '{\"n\": 1}'"]
  [[phase.gate]]
  open_if = "a:n == 1"
[[phase]]
name = "second"
  [[phase.step]]
  name = "b"
  kind = "command"
  arguments = ["/bin/sh", "-c", "echo b >> {evidence}/ran; test -e {here}/fail && exit 3; echo '{\"n\": 2}'; echo noise >&2"]
  [[phase.gate]]
  open_if = "b:n >= 2 * a:n"
)";

class Experiment : public ::testing::Test {
 protected:
  Experiment() { write(folder_.path() / "e.toml", text); }
  static void write(const fs::path& file, std::string_view content) { std::ofstream(file) << content; }
  static std::string read(const fs::path& file) { return read_text_file(file, 1 << 20).value_or(""); }
  RunOptions options() const {
    return {.design_file = folder_.path() / "e.toml", .evidence = folder_.path() / "evidence", .hearth = "/bin/false", .now_s = [] { return std::int64_t{7}; }};
  }
  Result<RunEnd> run(bool retry = false) {
    RunOptions own = options();
    own.retry = retry;
    return run_experiment(own, {});
  }
  std::string ran() const { return read(options().evidence / "ran"); }

  TemporaryDirectory folder_ = TemporaryDirectory::create("hearth-experiment").value();
};

TEST_F(Experiment, RunsEachStepOnceHoweverOftenItIsAskedTo) {
  const auto end = run();
  ASSERT_TRUE(end) << end.error().message;
  EXPECT_TRUE(end->is_complete) << end->why;
  EXPECT_EQ(ran(), "a\nb\n");
  ASSERT_TRUE(run());
  EXPECT_EQ(ran(), "a\nb\n");
  EXPECT_EQ(read(options().evidence / "second/b/log.txt"), "noise\n");
  EXPECT_EQ(read(options().evidence / "second/b/result.json"), "{\"n\": 2}\n");
}

TEST_F(Experiment, AJournalThatWasCutGoesOn) {
  ASSERT_TRUE(run());
  const fs::path journal = options().evidence / "journal.ndjson";
  const std::string whole = read(journal);
  // A crash inside of the event that says that b has ended.
  const std::size_t cut = whole.find("step_ended", whole.find("\"step\":\"b\""));
  write(journal, whole.substr(0, cut));
  const auto end = run();
  ASSERT_TRUE(end) << end.error().message;
  EXPECT_TRUE(end->is_complete);
  EXPECT_EQ(ran(), "a\nb\nb\n");
}

TEST_F(Experiment, AFailedStepStopsItAndMayBeTriedAgain) {
  write(folder_.path() / "fail", "");
  auto end = run();
  ASSERT_TRUE(end) << end.error().message;
  EXPECT_FALSE(end->is_complete);
  EXPECT_NE(end->why.find("step b of second failed with exit code 3"), std::string::npos) << end->why;
  fs::remove(folder_.path() / "fail");
  EXPECT_FALSE(run()->is_complete);
  EXPECT_TRUE(run(/*retry=*/true)->is_complete);
  EXPECT_EQ(ran(), "a\nb\nb\n");
}

TEST_F(Experiment, EvidenceThatWasChangedIsRefused) {
  write(folder_.path() / "fail", "");
  ASSERT_TRUE(run());
  fs::remove(folder_.path() / "fail");
  write(options().evidence / "first/a/result.json", "{\"n\": 5}");
  const auto end = run(/*retry=*/true);
  ASSERT_FALSE(end);
  EXPECT_EQ(end.error().code, Code::corrupt);
}

TEST_F(Experiment, ADesignThatWasChangedAfterwardsIsRefused) {
  ASSERT_TRUE(run());
  std::string changed = text;
  changed.replace(changed.find("echo a >>"), 6, "echo x");
  write(folder_.path() / "e.toml", changed);
  const auto end = run();
  ASSERT_FALSE(end);
  EXPECT_NE(end.error().message.find("changed after it had run"), std::string::npos) << end.error().message;
}

TEST_F(Experiment, StandingTellsProgramsWhereItIs) {
  write(folder_.path() / "fail", "");
  ASSERT_TRUE(run());
  const auto standing = read_standing(options().evidence);
  ASSERT_TRUE(standing) << standing.error().message;
  const Json json = standing_json(*standing);
  const auto& phases = json.find("phases")->as_array();
  EXPECT_EQ(phases[0].find("state")->as_string(), "done");
  EXPECT_TRUE(phases[0].find("gate")->find("open")->as_bool());
  EXPECT_EQ(phases[1].find("state")->as_string(), "failed");
  EXPECT_NE(json.find("stopped_by")->as_string(), "");
}

TEST_F(Experiment, AStepThatTakesTooLongEndsIt) {
  write(folder_.path() / "e.toml", "name = 'slow'\nquestion = 'q'\n[[phase]]\nname = 'p'\n[[phase.step]]\nname = 's'\nkind = 'command'\narguments = ['/bin/sleep', '60']\ntime_max_s = 0.2");
  const auto end = run();
  ASSERT_FALSE(end);
  EXPECT_EQ(end.error().code, Code::timed_out);
}

TEST(StepCommand, VerbsOfHearthGetWhatBringsTheirRowsHere) {
  const RunOptions options{.design_file = "x/e.toml", .evidence = "ev", .hearth = "/bin/hearth"};
  const StepCommand bench = command_of({.name = "b", .kind = "bench", .arguments = {"-t", "worker={here}/m.gguf"}}, "ev/p/b", options);
  EXPECT_EQ(bench.program, "/bin/hearth");
  EXPECT_EQ(bench.arguments[0], "bench");
  EXPECT_EQ(bench.arguments[2], "worker=x/m.gguf");
  EXPECT_NE(std::ranges::find(bench.arguments, "ev/bench.db"), bench.arguments.end());
  EXPECT_NE(std::ranges::find(bench.arguments, "--resume"), bench.arguments.end());
}

}  // namespace
}  // namespace hearth::experiment
