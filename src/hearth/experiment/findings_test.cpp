#include "hearth/experiment/findings.h"

#include <gtest/gtest.h>

namespace hearth::experiment {
namespace {

const Json alone = parse_json(R"({"rows":[
  {"target":"studio <alone>","prompt_tokens":1000,"depth":0,"ttft_ms":{"median":2000,"low":1950,"high":2100},"prefill_tok_s":500,"decode_tok_s":20,"failures":0,"predicted":{"ttft_ms":1900}},
  {"target":"studio <alone>","prompt_tokens":4000,"depth":0,"ttft_ms":9000,"prefill_tok_s":450,"decode_tok_s":19,"failures":2}]})").value();
const Json pooled = parse_json(R"({"rows":[
  {"target":"pool","prompt_tokens":1000,"ttft_ms":1000,"prefill_tok_s":900,"decode_tok_s":10},
  {"target":"pool","prompt_tokens":4000,"ttft_ms":4000,"prefill_tok_s":950,"decode_tok_s":9}]})").value();

Spec spec() {
  return read_spec(R"(name = "quest"
question = "Slower <or> faster?"
[[phase]]
name = "one"
[[phase.step]]
name = "alone"
command = ["a"]
[[phase.step]]
name = "pooled"
command = ["b"]
[[phase.step]]
name = "third"
command = ["c"]
[[phase.prediction]]
name = "slower"
statement = "Pooling makes decode slower."
holds = "pooled.rows[0].decode_tok_s < alone.rows[0].decode_tok_s"
[[phase.prediction]]
name = "rate"
statement = "20 tok/s pooled."
value = "pooled.rows[0].decode_tok_s"
expected = 20
[[phase.prediction]]
name = "unknown"
statement = "The third is fine."
holds = "third.ok == true"
[phase.gate]
conditions = ["pooled.rows[0].decode_tok_s > 15"]
note = "Send the Sparks back."
)", "e.toml").value();
}

const Json* results(std::string_view step) { return step == "alone" ? &alone : step == "pooled" ? &pooled : nullptr; }

Findings findings() {
  const Spec s = spec();
  Progress progress = replay(s, {});
  progress.phases[0].state = PhaseState::closed;
  progress.phases[0].began_at = "2026-04-23T09:00:00Z";
  progress.phases[0].gate_open = false;
  progress.phases[0].gate_why = {"pooled.rows[0].decode_tok_s is 10, which is not > 15"};
  for (const std::size_t i : {0u, 1u}) progress.phases[0].steps[i] = {.state = StepState::done, .attempts = 1, .result_attempt = 1};
  return find_findings(s, progress, results);
}

TEST(Findings, PredictionsMeetWhatHappened) {
  const Findings found = findings();
  ASSERT_EQ(found.predictions.size(), 3u);
  EXPECT_EQ(found.predictions[0].outcome, PredictionOutcome::right);
  EXPECT_EQ(found.predictions[1].outcome, PredictionOutcome::wrong);
  EXPECT_NE(found.predictions[1].why.find("50 % off"), std::string::npos) << found.predictions[1].why;
  EXPECT_EQ(found.predictions[2].outcome, PredictionOutcome::not_established);
}

// A statement of the plan, and what two rows of a later phase say to it.
PredictionFinding tested(const Json& stated, const std::string& statement, const std::string& member) {
  const Spec s = read_spec("name = \"e\"\nquestion = \"?\"\n[[phase]]\nname = \"one\"\n[[phase.step]]\nname = \"plan\"\ncommand = [\"a\"]\n"
                           "[[phase]]\nname = \"two\"\n[[phase.step]]\nname = \"bench\"\ncommand = [\"b\"]\n"
                           "[[phase.prediction]]\nname = \"stated\"\nstatement = \"" + statement + "\"\nrecorded = \"plan.predictions[0]\"\n"
                           "before = \"bench.rows[target=alone]." + member + "\"\nafter = \"bench.rows[target=pool]." + member + "\"\n", "e.toml").value();
  const Json planned = Json::object({{"predictions", Json::array({stated})}});
  const Json bench = parse_json(R"({"rows":[{"target":"alone","decode_tok_s":20,"ttft_ms":100},{"target":"pool","decode_tok_s":16,"ttft_ms":101}]})").value();
  Progress progress = replay(s, {});
  progress.phases[0].steps[0].ended_at = "2026-04-23T09:00:00Z";
  const auto found = find_findings(s, progress, [&](std::string_view step) { return step == "plan" ? &planned : &bench; });
  return found.predictions.at(0);
}

TEST(Findings, AStatementThatThePlanRecordedMeetsWhatWasMeasured) {
  const auto stated = [](std::string metric, std::string direction, Json size) {
    return Json::object({{"text", "adding b makes it so"}, {"metric", std::move(metric)}, {"direction", std::move(direction)},
                         {"size", std::move(size)}, {"planner", Json::object({{"before", 21}, {"after", 18}, {"says", "agrees"}})}});
  };
  const auto outcome = [&](const Json& recorded, const std::string& member) { return tested(recorded, "adding b makes it so", member).outcome; };
  EXPECT_EQ(outcome(stated("decode_tok_s", "lower", {}), "decode_tok_s"), PredictionOutcome::right);
  EXPECT_EQ(outcome(stated("decode_tok_s", "lower", 0.1), "decode_tok_s"), PredictionOutcome::right);
  EXPECT_EQ(outcome(stated("decode_tok_s", "lower", 0.5), "decode_tok_s"), PredictionOutcome::wrong);
  EXPECT_EQ(outcome(stated("decode_tok_s", "higher", {}), "decode_tok_s"), PredictionOutcome::wrong);
  EXPECT_EQ(outcome(stated("ttft_s", "same", {}), "ttft_ms"), PredictionOutcome::right);

  const PredictionFinding right = tested(stated("decode_tok_s", "lower", 0.1), "adding b makes it so", "decode_tok_s");
  EXPECT_EQ(right.why, "decode_tok_s was to be lower by at least 10 %: 20 before, 16 after, -20.0 %. The planner expected 21, then 18, and agrees");
  EXPECT_EQ(right.recorded_at, "2026-04-23T09:00:00Z");
  EXPECT_EQ(right.steps, (std::vector<std::string>{"plan", "bench"}));

  // Other words, another measure, a number that is not there: nothing is tested.
  EXPECT_NE(tested(stated("decode_tok_s", "lower", {}), "adding b does no harm", "decode_tok_s").why.find("not this statement"), std::string::npos);
  EXPECT_NE(tested(stated("decode_tok_s", "lower", {}), "adding b makes it so", "ttft_ms").why.find("is no decode_tok_s"), std::string::npos);
  EXPECT_EQ(outcome(stated("ttft_s", "higher", {}), "ttft_p90_ms"), PredictionOutcome::not_established);
  EXPECT_EQ(outcome(Json::object(), "decode_tok_s"), PredictionOutcome::not_established);
}

TEST(Findings, SayWhatWasDecidedAndWhatWasNotEstablished) {
  const Findings found = findings();
  ASSERT_EQ(found.decision.size(), 1u);
  EXPECT_EQ(found.decision[0], "Stop at 'one': pooled.rows[0].decode_tok_s is 10, which is not > 15. Send the Sparks back.");
  ASSERT_EQ(found.not_established.size(), 3u);
  EXPECT_NE(found.not_established[0].find("third"), std::string::npos);
  EXPECT_NE(found.not_established[2].find("2 failures"), std::string::npos);
}

TEST(Findings, ThePageLoadsNothingEscapesAndLinksItsNumbers) {
  const std::string page = report_html(findings(), results);
  EXPECT_EQ(page.find("<alone>"), std::string::npos);
  EXPECT_EQ(page.find("src="), std::string::npos);
  EXPECT_EQ(page.find("http"), std::string::npos);
  EXPECT_NE(page.find("<a href=\"#row-pooled-0\">900</a>"), std::string::npos);
  EXPECT_NE(page.find("id=\"row-pooled-0\""), std::string::npos);
  EXPECT_NE(page.find("Faster or slower?"), std::string::npos);
  EXPECT_NE(page.find("id=\"evidence-pooled\""), std::string::npos);
  EXPECT_NE(page.find("<svg"), std::string::npos);
  EXPECT_NE(page.find("Send the Sparks back."), std::string::npos);
  const std::string markdown = report_markdown(findings());
  EXPECT_NE(markdown.find("| Pooling makes decode slower. | **right** |"), std::string::npos) << markdown;
}

TEST(Findings, StatusHasTheFieldsThatProgramsRelyOn) {
  const Json status = status_json(findings());
  const Json& phase = status.find("phases")->as_array().at(0);
  EXPECT_EQ(*phase.find("name"), Json("one"));
  EXPECT_EQ(*phase.find("state"), Json("closed"));
  EXPECT_EQ(*phase.find("gate")->find("open"), Json(false));
  EXPECT_EQ(phase.find("gate")->find("why")->as_array().size(), 1u);
}

}  // namespace
}  // namespace hearth::experiment
