#include "hearth/experiment/report.h"

#include <gtest/gtest.h>

namespace hearth::experiment {
namespace {

Standing standing() {
  Standing out;
  out.design = parse_design(R"(
name = "two"
question = "Does the split <pay>?"
[[phase]]
name = "measure"
  [[phase.step]]
  name = "bench"
  kind = "bench"
  [[phase.prediction]]
  text = "the split is slower"
  holds_if = "bench:rows[target=split].ttft_ms > bench:rows[target=alone].ttft_ms"
  [[phase.prediction]]
  text = "it saves energy"
  holds_if = "bench:rows[target=split].energy_j < 5"
[[phase]]
name = "later"
  [[phase.step]]
  name = "eval"
  kind = "eval"
)", "e.toml").value();
  out.results = {{"bench", parse_json(R"({"samples":12,"rows":[
    {"target":"alone","workload":"fixed","prompt_tokens":512,"depth":0,"streams":1,"ttft_ms":100,"prefill_tok_s":5120,"decode_tok_s":40,"samples":6},
    {"target":"alone","workload":"fixed","prompt_tokens":4096,"depth":0,"streams":1,"ttft_ms":900,"prefill_tok_s":4500,"decode_tok_s":35,"samples":6},
    {"target":"split","workload":"fixed","prompt_tokens":512,"depth":0,"streams":1,"ttft_ms":150,"prefill_tok_s":3400,"decode_tok_s":40,"samples":2,
     "predicted":{"ttft_ms":140},"failures":[{"reason":"gone","count":1}]}]})").value()}};
  out.phases = {{.state = PhaseState::done, .predictions_digest = std::string(64, 'd'), .gate_judged = true, .gate_open = true, .gate_why = "no condition",
                 .steps = {{.state = StepState::done, .seconds = 3, .digest = std::string(64, 'e')}}},
                {.steps = {{}}}};
  out.next = {.kind = Action::Kind::start_phase, .phase = 1};
  return out;
}

TEST(Report, SaysWhatWasPredictedWhatHappenedAndWhatIsNotKnown) {
  const auto page = make_markdown();
  write_report(standing(), *page);
  const std::string text = page->text();
  for (const char* wanted : {"the split is slower", "came true", "not established", "1.50x", "140", "Not reached.", "gone", "too few", "measure/bench/result.json",
                             "step bench told no such number"}) {
    EXPECT_NE(text.find(wanted), std::string::npos) << wanted << "\n" << text;
  }
}

TEST(Report, AsHtmlIsOnePageAndNothingInItIsMarkupOfOthers) {
  const auto page = make_html("two");
  write_report(standing(), *page);
  const std::string text = page->text();
  EXPECT_NE(text.find("<svg"), std::string::npos);
  EXPECT_NE(text.find("&lt;pay&gt;"), std::string::npos);
  EXPECT_EQ(text.find("<pay>"), std::string::npos);
  EXPECT_EQ(text.find("http"), std::string::npos);
}

}  // namespace
}  // namespace hearth::experiment
