#include "hearth/experiment/spec.h"

#include <gtest/gtest.h>

namespace hearth::experiment {
namespace {

constexpr std::string_view good = R"(name = "quest"
question = "Does it work?"
watch = ["$model"]
[variables]
model = "kimi.gguf"
model_q4 = "kimi-q4.gguf"
made = "$results/made.gguf"
[[phase]]
name = "research"
question = "Can it work at all?"
[[phase.step]]
name = "plan"
verb = ["plan"]
arguments = ["--model", "$model_q4", "$$5", "$made"]
[[phase.prediction]]
name = "slower"
statement = "Adding the Sparks makes it slower."
holds = "plan.x < plan.y"
[[phase.prediction]]
name = "ttft"
statement = "A first token in 16.9 s."
value = "plan.ttft_s"
expected = 16.9
[phase.gate]
conditions = ["plan.verdict.go == true"]
note = "Do not buy the cable."
)";

TEST(Spec, ReadsPhasesStepsPredictionsAndGates) {
  const auto spec = read_spec(good, "e.toml");
  ASSERT_TRUE(spec) << spec.error().message;
  ASSERT_EQ(spec->phases.size(), 1u);
  const Phase& phase = spec->phases[0];
  EXPECT_EQ(phase.steps[0].arguments, (std::vector<std::string>{"--model", "kimi-q4.gguf", "$5", "results/made.gguf"}));
  EXPECT_EQ(phase.steps[0].accept, (std::vector<int>{0, 1}));
  EXPECT_EQ(phase.predictions[1].within_percent, 20);
  EXPECT_EQ(phase.gate.conditions.size(), 1u);
  EXPECT_EQ(spec->watch, std::vector<std::string>{"kimi.gguf"});
  EXPECT_EQ(spec->phase_of("plan"), &phase);
  EXPECT_EQ(spec->find_step("none"), nullptr);
}

TEST(Spec, WhatChangesAStepChangesItsDigest) {
  const auto digest = [](std::string from, std::string to) {
    std::string text(good);
    text.replace(text.find(from), from.size(), to);
    return read_spec(text, "e.toml")->phases[0].steps[0].digest();
  };
  const auto same = digest("[[phase.step]]", "[[phase.step]]\nwhat = \"words do not matter\"");
  EXPECT_EQ(same, read_spec(good, "e.toml")->phases[0].steps[0].digest());
  EXPECT_NE(same, digest("kimi-q4.gguf", "kimi-q8.gguf"));
  EXPECT_NE(same, digest("verb = [\"plan\"]", "verb = [\"check\"]"));
}

std::string with_recorded(const std::string& prediction) {
  return std::string(good) + "[[phase]]\nname = \"full\"\n[[phase.step]]\nname = \"bench\"\nverb = [\"bench\"]\n" +
         "[[phase.prediction]]\nname = \"stated\"\nstatement = \"adding b makes decode slower\"\n" + prediction;
}

TEST(Spec, WhatThePlanRecordedIsOfAnEarlierPhase) {
  const std::string text = with_recorded("recorded = \"plan.predictions[0]\"\nbefore = \"bench.x\"\nafter = \"bench.y\"\n");
  const auto spec = read_spec(text, "e.toml");
  ASSERT_TRUE(spec) << spec.error().message;
  const Prediction& stated = spec->phases[1].predictions[0];
  EXPECT_EQ(stated.recorded->statement.text, "plan.predictions[0]");
  EXPECT_EQ(stated.recorded->after.step, "bench");
  std::string changed = text;
  changed.replace(changed.find("bench.y"), 7, "bench.z");
  EXPECT_NE(read_spec(changed, "e.toml")->phases[1].predictions[0].digest(), stated.digest());

  for (const auto& [wrong, told] : {std::pair("recorded = \"bench.predictions[0]\"\nbefore = \"bench.x\"\nafter = \"bench.y\"\n", "no earlier phase"),
                                    std::pair("recorded = \"plan.predictions[0]\"\nbefore = \"bench.x\"\n", "after"),
                                    std::pair("recorded = \"plan.predictions[0]\"\nholds = \"bench.x < 1\"\n", "give one of")}) {
    const auto refused = read_spec(with_recorded(wrong), "e.toml");
    ASSERT_FALSE(refused) << wrong;
    EXPECT_NE(refused.error().message.find(told), std::string::npos) << refused.error().message;
  }
}

struct Fault {
  std::string_view from, to;
  std::vector<std::string_view> told;
};

TEST(Spec, EachFaultIsToldWithItsPlaceAndWhatIsRight) {
  const Fault faults[] = {
      {"question = \"Does it work?\"\n", "", {"question: missing"}},
      {"name = \"plan\"", "name = \"a b\"", {"e.toml:12", "letters, digits"}},
      {"verb = [\"plan\"]", "", {"verb = [\"plan\"]", "command"}},
      {"verb = [\"plan\"]", "verb = [\"plan\"]\ncommand = [\"true\"]", {"either"}},
      {"verb = [\"plan\"]", "verb = \"plan\"", {"e.toml:13", "texts in brackets"}},
      {"$model_q4", "$modl", {"e.toml:14", "\"$modl\" names no value of [variables]"}},
      {"holds = \"plan.x < plan.y\"", "holds = \"plan.x\"", {"e.toml:18", "expected ==", "for example"}},
      {"holds = \"plan.x < plan.y\"", "holds = \"later.x < 3\"",
       {"e.toml:18: [[phase.prediction]] holds: no step 'later'"}},
      {"value = \"plan.ttft_s\"", "value = \"later.ttft_s\"",
       {"e.toml:22: [[phase.prediction]] value: no step 'later'"}},
      {"plan.verdict.go == true", "sweep.ok == true", {"e.toml:25: [phase.gate] conditions: no step 'sweep'"}},
      {"expected = 16.9", "", {"expected: missing"}},
      {"expected = 16.9", "expected = \"1000 *\"", {"expected", "expected the name of a step"}},
      {"expected = 16.9", "expected = \"plan.x\"",
       {"e.toml:23: [[phase.prediction]] expected: names step 'plan'", "no earlier phase"}},
      {"expected = 16.9", "expected = [1]", {"expected a number, or the place of one"}},
      {"statement = \"A first token in 16.9 s.\"", "", {"statement: missing"}},
      {"name = \"ttft\"", "name = \"slower\"", {"e.toml:20: [[phase.prediction]] name: 'slower' is there twice"}},
      {"[[phase.prediction]]", "[[phase.step]]\nname = \"plan\"\nverb = [\"check\"]\n[[phase.prediction]]",
       {"e.toml:16: [[phase.step]] name: 'plan' is there twice"}},
      {"cable.\"\n", "cable.\"\n[[phase]]\nname = \"research\"\n",
       {"e.toml:28: [[phase]] name: 'research' is there twice"}},
      {"note =", "remark =", {"[phase.gate] remark: unknown", "note"}},
      {"[[phase.step]]", "[[phase.stepp]]", {"stepp: unknown", "at least one [[phase.step]]"}},
      {"verb = [\"plan\"]", "verb = [\"plan\"]\ntime_max_s = 0", {"1 second to 30 days"}},
      {"verb = [\"plan\"]", "verb = [\"plan\"]\naccept = 1", {"[0, 1]"}},
      {"[variables]", "[variables]\nn = 3", {"[variables] n: expected a text"}},
      {"[[phase]]", "[phase]", {"e.toml:"}},
  };
  for (const Fault& fault : faults) {
    SCOPED_TRACE(fault.to);
    std::string text(good);
    ASSERT_NE(text.find(fault.from), std::string::npos) << fault.from;
    text.replace(text.find(fault.from), fault.from.size(), fault.to);
    const auto spec = read_spec(text, "e.toml");
    ASSERT_FALSE(spec);
    EXPECT_EQ(spec.error().code, Code::invalid_argument);
    for (const std::string_view told : fault.told) EXPECT_NE(spec.error().message.find(told), std::string::npos) << spec.error().message;
  }
}

}  // namespace
}  // namespace hearth::experiment
