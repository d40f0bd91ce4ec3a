#include "hearth/eval/study/study_run.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>

#include "hearth/eval/judge/desk.h"
#include "hearth/eval/report/report.h"
#include "hearth/eval/study/outcome.h"
#include "hearth/eval/study/registration.h"
#include "hearth/eval/study/rounds.h"
#include "hearth/eval/study/test_study.h"

namespace hearth::eval {
namespace {

StudyOutcome outcome_of(TestStudy& study) {
  const auto records = read_records(*study.records);
  auto outcome = study_outcome(study.suite, study.file, records.value());
  if (!outcome) ADD_FAILURE() << outcome.error().message;
  return *std::move(outcome);
}

std::string wrong_controls(const StudyOutcome& outcome) {
  std::string out;
  for (const Control& one : outcome.decision.controls) {
    if (!one.passed) out += one.name + " ";
  }
  return out;
}

TEST(Study, ATieIsFoundAndStopsEarly) {
  TestStudy study;
  const auto end = study.run();
  ASSERT_TRUE(end) << end.error().message;
  EXPECT_EQ(*end, StudyEnd::decided);
  const StudyOutcome outcome = outcome_of(study);
  EXPECT_EQ(wrong_controls(outcome), "");
  ASSERT_EQ(outcome.decision.comparisons.size(), 1u);
  EXPECT_EQ(outcome.decision.comparisons[0].verdict, Verdict::non_inferior) << outcome.decision.sentence;
  EXPECT_LT(study.large->calls, 30u * 8);
  EXPECT_EQ(outcome.decision.pick, "small");
  // The same seeds in both arms, a new one for each item and k.
  EXPECT_EQ(study.large->seeds, study.small->seeds);
  EXPECT_EQ(study.large->seeds.size(), study.large->calls);
}

TEST(Study, AWorseArmIsFound) {
  TestStudy study;
  study.small = std::make_unique<ScriptedArm>(0.5, 12);
  ASSERT_EQ(study.end(), StudyEnd::decided);
  const StudyOutcome outcome = outcome_of(study);
  EXPECT_EQ(outcome.decision.comparisons[0].verdict, Verdict::inferior);
  EXPECT_EQ(outcome.decision.pick, "large");
  EXPECT_EQ(wrong_controls(outcome), "");
}

TEST(Study, EachFaultOfAJudgeIsCaughtByItsControl) {
  struct Case {
    std::string control;
    JudgeFaults faults;
  };
  for (const Case& one :
       {Case{"order", {.first_bonus = 1}}, Case{"padded", {.length_bonus = 0.3}},
        Case{"second_judge", {.favourite = " indeed", .favour = 0.5}}, Case{"guess_arm", {.marker = " indeed"}},
        Case{"injected", {.obeys = true}}, Case{"damaged", {.attention = 0}}}) {
    TestStudy study(30, std::string(test_arms) + std::string(test_second));
    study.small = std::make_unique<ScriptedArm>(0.7, 12, " indeed");
    study.judge = std::make_unique<HonestOrNot>(one.faults, 13);
    const auto end = study.run();
    ASSERT_TRUE(end) << end.error().message;
    EXPECT_EQ(*end, StudyEnd::void_) << one.control;
    const StudyOutcome outcome = outcome_of(study);
    EXPECT_TRUE(wrong_controls(outcome).contains(one.control)) << one.control << ": " << wrong_controls(outcome);
    EXPECT_TRUE(outcome.decision.is_void);
    EXPECT_FALSE(outcome.decision.pick);
    EXPECT_TRUE(class_verdicts(study.suite, study.file, read_records(*study.records).value(), outcome, 0).empty());
  }
}

TEST(Study, GoesOnWhereItWasInterruptedAndDoesNothingTwice) {
  TestStudy whole(12);
  ASSERT_EQ(whole.end(), StudyEnd::decided);
  TestStudy study(12);
  std::size_t runs = 0;
  for (std::size_t allowed = 7;; allowed += 7) {
    study.large->fail_after = allowed;
    study.small->fail_after = allowed;
    study.reopen();
    ++runs;
    const auto end = study.run();
    if (end) break;
    ASSERT_EQ(end.error().code, Code::unavailable) << end.error().message;
    EXPECT_TRUE(end.error().message.contains("again to go on"));
    ASSERT_LT(runs, 200u);
  }
  EXPECT_GT(runs, 5u);
  const auto a = whole.records->generations().value(), b = study.records->generations().value();
  std::set<std::string> keys_a, keys_b;
  for (const auto& one : a) keys_a.insert(one.key);
  for (const auto& one : b) keys_b.insert(one.key);
  EXPECT_EQ(keys_a, keys_b);
  EXPECT_EQ(b.size(), keys_b.size());
}

TEST(Study, RunAgainAfterItsEndDoesNothing) {
  TestStudy study(12);
  study.reopen();
  ASSERT_EQ(study.end(), StudyEnd::decided);
  const std::size_t calls = study.large->calls, grades = study.judge->calls;
  study.reopen();
  EXPECT_EQ(study.end(), StudyEnd::decided);
  EXPECT_EQ(study.large->calls, calls);
  EXPECT_EQ(study.judge->calls, grades);
}

TEST(Study, EngineFaultsAreTriedAgainAndNeverScored) {
  TestStudy study;
  study.large->faults_left = 3;
  ASSERT_EQ(study.end(), StudyEnd::decided);
  EXPECT_EQ(outcome_of(study).arms[0].retried, 1u);
}

TEST(Study, AConnectionLostInTheMiddleOfAnAnswerIsTriedAgainAndARefusedKeyIsNot) {
  for (const bool may_pass : {true, false}) {
    TestStudy study(12);
    study.large->faults_left = 3;
    study.large->fault = {.kind = chat::ApiError::Kind::bad_upstream, .message = "l failed", .may_pass = may_pass};
    EXPECT_EQ(study.run().has_value(), may_pass);
  }
}

TEST(Study, AnArmThatSaysNothingIsScoredAndNotDropped) {
  TestStudy study;
  study.small->silent = true;
  ASSERT_EQ(study.end(), StudyEnd::decided);
  const StudyOutcome outcome = outcome_of(study);
  EXPECT_EQ(outcome.decision.comparisons[0].verdict, Verdict::inferior);
  EXPECT_NEAR(outcome.decision.comparisons[0].absolute.estimate.difference, -0.7, 0.1);
  EXPECT_GT(outcome.arms[1].empty, 0u);
}

TEST(Study, AnArmThatIsCutWhileItThinksIsScoredAndNotWaitedFor) {
  TestStudy study(12);
  study.small->only_thinks = true;
  ASSERT_EQ(study.end(), StudyEnd::decided);
  EXPECT_EQ(outcome_of(study).decision.comparisons[0].verdict, Verdict::inferior);
}

TEST(Study, AnEditedItemHasNoRecordsAnyMore) {
  TestStudy study;
  ASSERT_EQ(study.end(), StudyEnd::decided);
  const std::size_t before = study.large->calls;
  study.suite.items[3].messages[0].text += " and be brief";
  EXPECT_FALSE(outcome_of(study).is_final);
  ASSERT_EQ(study.end(), StudyEnd::decided);
  EXPECT_GT(study.large->calls, before);
  EXPECT_LE(study.large->calls, before + 8);
  const StudyOutcome outcome = outcome_of(study);
  ASSERT_EQ(outcome.deviations.size(), 1u);
  EXPECT_TRUE(outcome.deviations[0].contains("item item-003 was changed"));
}

TEST(Study, AnEditedRubricIsGradedAnewAndNotGeneratedAnew) {
  TestStudy study;
  ASSERT_EQ(study.end(), StudyEnd::decided);
  const std::size_t before = study.large->calls, grades = study.judge->calls;
  std::get<RubricSpec>(study.suite.items[3].grader).criteria[0].weight = 2;
  ASSERT_EQ(study.end(), StudyEnd::decided);
  EXPECT_EQ(study.large->calls, before);
  EXPECT_GT(study.judge->calls, grades);
}

TEST(Study, WhatAVerdictDependsOnIsFixedBeforehand) {
  TestStudy study;
  ASSERT_TRUE(study.run({.generations_max = 2}));
  study.file.settings.margin = 0.2;
  const auto end = study.run();
  ASSERT_FALSE(end);
  EXPECT_TRUE(end.error().message.contains("margin")) << end.error().message;
}

TEST(Study, AJudgeThatOftenGivesNoGradeIsAskedAgain) {
  TestStudy study;
  study.judge = std::make_unique<HonestOrNot>(JudgeFaults{.no_grade = 0.2}, 13);
  ASSERT_EQ(study.end(), StudyEnd::decided);
  const StudyOutcome outcome = outcome_of(study);
  EXPECT_EQ(wrong_controls(outcome), "");  // 0.8 % are given up
  EXPECT_LT(outcome.judges[0].failed, 20u);
}

TEST(Study, AJudgeThatMostlyGivesNoGradeVoids) {
  TestStudy study;
  study.judge = std::make_unique<HonestOrNot>(JudgeFaults{.no_grade = 0.7}, 13);
  ASSERT_EQ(study.end(), StudyEnd::void_);
  EXPECT_TRUE(wrong_controls(outcome_of(study)).contains("failed_grades"));
}

TEST(Study, StopsBeforeTheCapAndGoesOnWhenItIsRaised) {
  TestStudy study;
  study.file.judge->endpoint.prices = {.prompt = 1, .answer = 1};
  study.file.judge->money_max_usd = 1;
  study.judge = std::make_unique<HonestOrNot>(JudgeFaults{.cost_usd = 0.004}, 13);
  const auto end = study.run();
  ASSERT_FALSE(end);
  EXPECT_EQ(end.error().code, Code::resource_exhausted);
  double spent = 0;
  const std::vector<store::GradeRecord> grades = study.records->grades().value();
  for (const store::GradeRecord& one : grades) spent += one.cost_usd;
  EXPECT_LE(spent, 1);
  EXPECT_GT(spent, 0.9);
  study.file.judge->money_max_usd = 100;
  EXPECT_EQ(study.end(), StudyEnd::decided);
}

TEST(Study, NoJudgeHearsWhoWroteAText) {
  TestStudy study;
  ASSERT_EQ(study.end(), StudyEnd::decided);
  for (const std::string& prompt : study.judge->prompts) {
    for (const char* word : {"secret-model", "\"large\"", "\"small\"", "generation"})
      ASSERT_FALSE(prompt.contains(word)) << word;
  }
}

TEST(Study, ASecondJudgeWhoIsAPersonIsWaitedFor) {
  TestStudy study(12, std::string(test_arms) + "[second_judge]\nperson = true\n");
  ASSERT_EQ(study.end(), StudyEnd::wants_person);
  EXPECT_FALSE(outcome_of(study).is_final);
  const auto desk = GradingDesk::open(study.file, *study.records).value();
  std::size_t texts = 0;
  for (GradingDesk::Place place = desk->next().value(); place.id; place = desk->next().value(), ++texts) {
    ASSERT_EQ(place.task.question, Question::score);
    Json criteria = Json::array();
    for (int i = 0; i < facts; ++i) {
      const bool met = place.task.texts[0].contains(fact(i));
      criteria.push(Json::object({{"id", "c" + std::to_string(i)}, {"met", met}, {"quote", ""}}));
    }
    ASSERT_TRUE(desk->grade(*place.id, dump_json(Json::object({{"criteria", criteria}})), 1));
  }
  EXPECT_EQ(texts, 48u);  // two answers of each prompt and arm
  ASSERT_EQ(study.end(), StudyEnd::decided);
  const StudyOutcome outcome = outcome_of(study);
  EXPECT_TRUE(outcome.is_final);
  ASSERT_TRUE(outcome.agreement);
  EXPECT_EQ(outcome.agreement->texts, 48u);
  EXPECT_GT(outcome.agreement->kappa, 0.8);
}

TEST(Study, TheDivergenceGateDecidesWhereThatWasRegistered) {
  TestStudy study;
  EXPECT_EQ(study.end({.generations_max = 2}), StudyEnd::generated);
  const StudyRecords records = read_records(*study.records).value();
  const DivergenceEvidence gates = {.gates = {{.candidate = "small", .passed = true}}, .ignored = {}};
  EXPECT_FALSE(study_outcome(study.suite, study.file, records, gates));
  EXPECT_FALSE(study_outcome(study.suite, study.file, records)->is_final);
  study.file.settings.divergence_decides = true;
  const StudyOutcome outcome = study_outcome(study.suite, study.file, records, gates).value();
  EXPECT_TRUE(outcome.is_final);
  EXPECT_EQ(outcome.decision.pick, "small");
  EXPECT_EQ(outcome.decision.comparisons[0].verdict, Verdict::equivalent_by_divergence);
}

TEST(Study, PrivateItemsNeverReachAJudgeOutsideTheHouse) {
  TestStudy study;
  study.file.judge->endpoint.reach = seal::Reach::remote;
  for (std::size_t i = 0; i < 6; ++i) {
    study.suite.items[i].egress = Egress::deny;
    study.suite.items[i].messages[0].text += " CANARY";
  }
  ASSERT_EQ(study.end(), StudyEnd::decided);
  for (const std::string& prompt : study.judge->prompts) ASSERT_FALSE(prompt.contains("CANARY"));
  EXPECT_EQ(outcome_of(study).left_out.size(), 6u);
}

TEST(Study, ASecondJudgeWhoMayNotSeeAnItemIsFoundBeforeAnythingIsAsked) {
  TestStudy study(12, std::string(test_arms) + std::string(test_second));
  study.file.second_judge->endpoint.reach = seal::Reach::remote;
  EXPECT_TRUE(check_study(study.suite, study.file)) << "egress judge lets it";
  study.suite.items[3].egress = Egress::deny;
  const auto refused = study.run();
  ASSERT_FALSE(refused);
  EXPECT_TRUE(refused.error().message.contains(study.suite.items[3].id)) << refused.error().message;
  EXPECT_EQ(study.large->calls, 0u);
}

// Everything that was ever written into the folder.
std::string bytes_of_folder(const std::filesystem::path& folder) {
  std::string out;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) out += read_text_file(entry.path(), 1u << 28).value();
  }
  return out;
}

TEST(Study, WhatMustNotLeaveTheHouseIsSealedOnTheDiskAndCountsAllTheSame) {
  TestStudy open(12), sealed(12);
  for (Item& item : sealed.suite.items) item.egress = Egress::deny;
  for (TestStudy* study : {&open, &sealed}) {
    study->reopen();
    study->records->set_cipher(std::make_shared<TestCipher>());
    ASSERT_EQ(study->end({.generations_max = 2}), StudyEnd::generated);
  }
  EXPECT_EQ(outcome_of(sealed).decision.sentence, outcome_of(open).decision.sentence);
  const std::string plain = bytes_of_folder(open.folder.path()), hidden = bytes_of_folder(sealed.folder.path());
  for (const std::string_view canary : {"FACT-0", "This is what I know", "what you know of"}) {
    EXPECT_NE(plain.find(canary), std::string::npos) << canary << ": the search works";
    EXPECT_EQ(hidden.find(canary), std::string::npos) << canary;
  }
  const StudyRecords records = read_records(*sealed.records).value();
  EXPECT_TRUE(records.generations.at(0).output.contains("This is what I know"));
  const StudyOutcome outcome = outcome_of(sealed);
  EXPECT_EQ(report_html(sealed.suite, sealed.file, records, outcome)->find("This is what I know"), std::string::npos);
  EXPECT_NE(report_html(sealed.suite, sealed.file, records, outcome, {.denied_texts = true})->find("This is what I know"), std::string::npos);
}

TEST(Study, WithoutAVaultNothingIsAskedThatCouldNotBeKept) {
  TestStudy study;
  study.suite.items[3].egress = Egress::deny;
  const auto none = study.run();
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, Code::unavailable);
  EXPECT_TRUE(none.error().message.contains("hearth vault unlock")) << none.error().message;
  EXPECT_TRUE(none.error().message.contains(study.suite.items[3].id));
  const auto cipher = std::make_shared<TestCipher>();
  cipher->is_locked = true;
  study.records->set_cipher(cipher);
  EXPECT_FALSE(study.run());
  EXPECT_EQ(study.large->calls + study.small->calls, 0u);
  cipher->is_locked = false;
  EXPECT_EQ(study.end(), StudyEnd::decided);
  cipher->is_locked = true;
  EXPECT_EQ(read_records(*study.records).error().code, Code::unavailable);
}

TEST(Study, AnArmOutsideTheHouseSeesOpenItemsOnly) {
  TestStudy study;
  study.file.arms[1].endpoint.reach = seal::Reach::remote;
  for (std::size_t i = 0; i < 20; ++i) study.suite.items[i].egress = Egress::open;
  ASSERT_TRUE(study.run());
  EXPECT_LT(study.small->calls, study.large->calls);
  EXPECT_EQ(study.small->calls % 20, 0u);
}

TEST(Study, AChangedMapIsFoundOut) {
  TestStudy study;
  StudyOptions options;
  study.judge = std::make_unique<HonestOrNot>(JudgeFaults{.cost_usd = 0.01}, 13);
  study.file.judge->endpoint.prices = {.prompt = 1, .answer = 1};
  study.file.judge->money_max_usd = 0.5;
  ASSERT_FALSE(study.run(options));  // the round is under way
  const auto path = sealed_file(study.folder.path(), 1);
  const std::string text = read_text_file(path, 1u << 26).value();
  std::string changed = text;
  const std::size_t at = changed.find("is_candidates\\\":true");
  ASSERT_NE(at, std::string::npos);
  changed.replace(at, 20, "is_candidates\\\":false");
  std::ofstream(path) << changed;
  study.file.judge->money_max_usd = 100;
  EXPECT_EQ(study.end(), StudyEnd::void_);
  EXPECT_TRUE(wrong_controls(outcome_of(study)).contains("commitment"));
}

TEST(Study, ClassesAreHandedOverWithWhatTheyDependOn) {
  TestStudy study;
  ASSERT_EQ(study.end(), StudyEnd::decided);
  const StudyOutcome outcome = outcome_of(study);
  const StudyRecords records = read_records(*study.records).value();
  const std::vector<store::ClassVerdict> verdicts = class_verdicts(study.suite, study.file, records, outcome, 7);
  EXPECT_EQ(verdicts.size(), 4u);  // two classes, two arms
  for (const store::ClassVerdict& one : verdicts) {
    EXPECT_TRUE(one.good_enough) << one.task_class << one.arm;
    EXPECT_EQ(one.basis.engine_build, "b1");
    EXPECT_EQ(one.decided_s, 7);
  }
}

TEST(Study, AClassThatAnEarlierArmFailedIsNotHandedToALaterOne) {
  TestStudy study;
  ASSERT_EQ(study.end(), StudyEnd::decided);
  StudyOutcome outcome = outcome_of(study);
  const StudyRecords records = read_records(*study.records).value();
  // A chain large, small, small: the first step fails one class, the second would pass it again.
  Comparison& first = outcome.decision.comparisons.front();
  ASSERT_EQ(first.guards.size(), 2u);
  outcome.decision.comparisons.push_back(first);
  outcome.decision.comparisons.front().guards.front().holds = false;
  const std::string failed = outcome.decision.comparisons.front().guards.front().prompt_class;
  for (const store::ClassVerdict& one : class_verdicts(study.suite, study.file, records, outcome, 7)) {
    if (one.arm != "small") continue;
    EXPECT_EQ(one.good_enough, one.task_class != failed) << one.task_class;
  }
}

TEST(Study, TheReportIsTheSameForTheSameRecordsAndKeepsBlindWhatIsSealed) {
  TestStudy study;
  study.file.judge->is_person = true;
  ASSERT_EQ(study.end(), StudyEnd::wants_person);
  const auto page = [&] {
    const StudyRecords records = read_records(*study.records).value();
    const StudyOutcome outcome = study_outcome(study.suite, study.file, records).value();
    return report_html(study.suite, study.file, records, outcome).value();
  };
  const std::string html = page();
  EXPECT_EQ(html, page());
  EXPECT_TRUE(html.contains("Not decided yet"));
  EXPECT_TRUE(html.contains("Not opened yet"));
  EXPECT_FALSE(html.contains("<strong>small</strong>"));
}

}  // namespace
}  // namespace hearth::eval
