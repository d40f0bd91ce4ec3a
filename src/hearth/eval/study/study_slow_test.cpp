// Hundreds of whole studies through the real pipeline: arms file, generation, blinding, judge, controls,
// looks, decision. Only the services are scripted. What the statistics promise must come out of it.

#include <gtest/gtest.h>

#include <cstdio>

#include "hearth/eval/study/outcome.h"
#include "hearth/eval/study/test_study.h"

namespace hearth::eval {
namespace {

constexpr int studies = 300;

struct Rates {
  double voided = 0, passed = 0, inferior = 0;
};

// The small arm knows so much less.
Rates run_studies(double difference) {
  Rates out;
  for (int i = 0; i < studies; ++i) {
    const auto seed = static_cast<std::uint64_t>(1'000 + 10 * i);
    TestStudy study;
    study.large = std::make_unique<ScriptedArm>(0.7, seed);
    study.small = std::make_unique<ScriptedArm>(0.7 + difference, seed + 1);
    study.judge = std::make_unique<HonestOrNot>(JudgeFaults{}, seed + 2);
    study.file.settings.seed = seed;
    study.nonces = seed;
    const StudyEnd end = study.end();
    out.voided += end == StudyEnd::void_ ? 1.0 / studies : 0;
    if (end != StudyEnd::decided) continue;
    const StudyRecords records = read_records(*study.records).value();
    const StudyOutcome outcome = study_outcome(study.suite, study.file, records).value();
    const Verdict verdict = outcome.decision.comparisons.at(0).verdict;
    out.passed += verdict == Verdict::non_inferior ? 1.0 / studies : 0;
    out.inferior += verdict == Verdict::inferior ? 1.0 / studies : 0;
  }
  std::printf("true difference %+.0f points: void %.1f %%, passes %.1f %%, inferior %.1f %%\n", 100 * difference,
              100 * out.voided, 100 * out.passed, 100 * out.inferior);
  return out;
}

// Chance moves a share of 5 % by 1.3 points at 300 studies; three of those are allowed for.
TEST(StudyPipeline, ATiePassesAndAnHonestJudgeIsNotVoided) {
  const Rates found = run_studies(0);
  EXPECT_LE(found.voided, 0.05 + 0.038);
  EXPECT_GE(found.passed, 0.80);
}

TEST(StudyPipeline, AnArmThatIsWorseByTheMarginRarelyPasses) {
  const Rates found = run_studies(-0.08);
  EXPECT_LE(found.passed, 0.05 + 0.038);
}

}  // namespace
}  // namespace hearth::eval
