#include "hearth/eval/decision.h"

#include <gtest/gtest.h>

#include "hearth/eval/simulation/scripted.h"

namespace hearth::eval {
namespace {

constexpr std::uint32_t few_resamples = 999;

// Fifty prompts in five classes, eight generations each.
std::vector<PromptScores> scores(double difference, double spread = 0.02, std::string_view worse_class = "",
                                 double worse_by = 0, int generations = 8) {
  Random random(31);
  std::vector<PromptScores> out;
  for (int i = 0; i < 50; ++i) {
    PromptScores prompt{.prompt = std::to_string(i), .prompt_class = "class-" + std::to_string(i % 5), .candidate = {}, .reference = {}};
    const double loss = prompt.prompt_class == worse_class ? worse_by : 0;
    for (int k = 0; k < generations; ++k) {
      prompt.reference.push_back(0.8 + spread * draw_normal(random));
      prompt.candidate.push_back(0.8 + difference - loss + spread * draw_normal(random));
    }
    out.push_back(std::move(prompt));
  }
  return out;
}

ComparisonPlan plan() {
  ComparisonPlan out = *plan_comparison(near_copies(), {8});
  out.resamples = few_resamples;
  return out;
}

Comparison compared(std::string candidate, std::string reference, const std::vector<PromptScores>& prompts) {
  return *compare({std::move(candidate), std::move(reference)}, plan(), 0, prompts);
}

const std::vector<Control> good = {{"same_arm", true, "expected no difference"}};

TEST(Comparison, SaysWhatWasShown) {
  struct Case {
    double difference, spread;
    Verdict verdict;
  };
  for (const Case& one : {Case{0, 0.02, Verdict::non_inferior}, Case{-0.08, 0.02, Verdict::inferior},
                          Case{-0.03, 0.02, Verdict::inconclusive}, Case{0, 0.6, Verdict::inconclusive}}) {
    const Comparison found = compared("Q4", "Q8", scores(one.difference, one.spread));
    EXPECT_EQ(found.verdict, one.verdict) << found.sentence;
    EXPECT_TRUE(found.stops);
    EXPECT_NE(found.sentence.find("Q4"), std::string::npos);
  }
}

TEST(Comparison, SaysHowManyGenerationsAreMissing) {
  const Comparison found = compared("Q4", "Q8", scores(0, 0.35));
  ASSERT_EQ(found.verdict, Verdict::inconclusive);
  ASSERT_TRUE(found.generations_needed);
  EXPECT_GT(*found.generations_needed, 8);
  EXPECT_FALSE(compared("Q4", "Q8", scores(-0.08)).generations_needed);
}

TEST(Comparison, PrintsBothMarginsAndDecidesByThePlannedOne) {
  // At a mean of 0.8, 3 % of it are 2.4 points: -2.7 points pass the absolute margin alone.
  const auto prompts = scores(-0.027, 0.005);
  ComparisonPlan absolute = plan(), relative = plan();
  relative.margin_is_relative = true;
  EXPECT_EQ(compare({"Q4", "Q8"}, absolute, 0, prompts)->verdict, Verdict::non_inferior);
  const auto found = compare({"Q4", "Q8"}, relative, 0, prompts);
  EXPECT_EQ(found->verdict, Verdict::inferior) << found->sentence;
  EXPECT_TRUE(found->absolute.passes());
}

TEST(Comparison, StaysOpenBeforeTheLastLook) {
  ComparisonPlan looks = *plan_comparison(near_copies(), {2, 8});
  looks.resamples = few_resamples;
  const auto prompts = scores(0, 0.12, "", 0, 2);
  const auto first = compare({"Q4", "Q8"}, looks, 0, prompts);
  EXPECT_EQ(first->verdict, Verdict::open);
  EXPECT_FALSE(first->stops);
  // Far below the margin: no use in going on.
  const auto futile = compare({"Q4", "Q8"}, looks, 0, scores(-0.1, 0.12, "", 0, 2));
  EXPECT_TRUE(futile->stops);
  EXPECT_EQ(futile->verdict, Verdict::inferior);
}

TEST(Comparison, RefusesALookBeforeItsTurn) {
  ComparisonPlan looks = *plan_comparison(near_copies(), {2, 8});
  const auto found = compare({"Q4", "Q8"}, looks, 0, scores(0));
  ASSERT_FALSE(found);
  EXPECT_NE(found.error().message.find("planned at 2"), std::string::npos);
}

TEST(Comparison, RefusesScoresThatSupportNoInterval) {
  std::vector<PromptScores> prompts;
  for (int i = 0; i < 10; ++i) prompts.push_back({std::to_string(i), "code", "", {1}, {0}});
  EXPECT_FALSE(compare({"Q4", "Q8"}, plan(), 0, prompts));
}

TEST(Decision, WalksFromTheLargestArmDown) {
  const Comparison tie = compared("Q4", "Q8", scores(0)), loss = compared("Q2", "Q4", scores(-0.08));
  const Comparison small_tie = compared("Q2", "Q4", scores(0)), first_loss = compared("Q4", "Q8", scores(-0.08));
  EXPECT_EQ(decide({tie, loss}, good).pick, "Q4");
  EXPECT_EQ(decide({tie, small_tie}, good).pick, "Q2");
  // What comes after the first failure counts no more.
  EXPECT_EQ(decide({first_loss, small_tie}, good).pick, "Q8");
  const Comparison unclear = compared("Q4", "Q8", scores(0, 0.6));
  EXPECT_EQ(decide({unclear}, good).pick, "Q8");
}

TEST(Decision, IsVoidWithTheControlNamed) {
  const Decision found = decide({compared("Q4", "Q8", scores(0))}, {{"padded", false, "expected no gain, found +6.0"}});
  EXPECT_TRUE(found.is_void);
  EXPECT_FALSE(found.pick);
  EXPECT_NE(found.sentence.find("padded"), std::string::npos);
  const Json json = decision_json(found);
  EXPECT_TRUE(json.find("void")->as_bool());
  EXPECT_TRUE(json.find("pick")->is_null());
}

TEST(Decision, HoldsBackAClassThatFell) {
  const Decision found = decide({compared("Q4", "Q8", scores(0.03, 0.02, "class-2", 0.2))}, good);
  EXPECT_EQ(found.held_back, std::vector<std::string>{"class-2"}) << found.sentence;
}

TEST(Decision, TakesTheDivergenceGateUnlessAnAlarmRang) {
  ComparisonPlan alarmed = plan();
  for (int i = 0; i < 5; ++i) alarmed.guards["class-" + std::to_string(i)] = GuardKind::alarm;
  const Comparison unclear = *compare({"Q4", "Q8"}, alarmed, 0, scores(0, 0.6));
  EXPECT_EQ(decide({unclear}, good, {{"Q4", true}}).pick, "Q4");
  EXPECT_EQ(decide({unclear}, good, {{"Q4", false}}).pick, "Q8");
  const Comparison rang = *compare({"Q4", "Q8"}, alarmed, 0, scores(0, 0.6, "class-2", 1.5));
  EXPECT_EQ(decide({rang}, good, {{"Q4", true}}).pick, "Q8");
}

TEST(Decision, JsonHasTheFieldsThatProgramsRead) {
  const Json json = decision_json(decide({compared("Q4", "Q8", scores(0))}, good));
  const Json& first = json.find("comparisons")->as_array()[0];
  for (const char* field : {"a", "b", "difference", "ci95", "margin", "verdict", "power"}) {
    EXPECT_NE(first.find(field), nullptr) << field;
  }
  EXPECT_EQ(json.find("pick")->as_string(), "Q4");
  EXPECT_EQ(json.find("controls")->as_array()[0].find("name")->as_string(), "same_arm");
}

TEST(Decision, ClassClaimsAreHeldTogether) {
  const auto claims = claim_classes(scores(0.03, 0.02, "class-2", 0.2), {});
  ASSERT_TRUE(claims);
  ASSERT_EQ(claims->size(), 5u);
  for (const ClassClaim& claim : *claims) EXPECT_EQ(claim.holds, claim.prompt_class != "class-2");
}

TEST(Decision, AMarginThatIsAShareIsOneForClassesToo) {
  // 0.8 in the reference: 5 % of it are 4 points, and the candidate is 4.5 below.
  const auto prompts = scores(-0.045, 0.002);
  const auto points = claim_classes(prompts, {.margin = 0.05});
  const auto share = claim_classes(prompts, {.margin = 0.05, .margin_is_relative = true});
  ASSERT_TRUE(points && share);
  for (const ClassClaim& claim : *points) EXPECT_TRUE(claim.holds) << claim.prompt_class << " p " << claim.p;
  for (const ClassClaim& claim : *share) EXPECT_FALSE(claim.holds) << claim.prompt_class << " p " << claim.p;
}

TEST(Decision, ClaimsAtAnEarlyLookNeedTheProofOfThatLook) {
  const auto prompts = scores(0.0, 0.04);
  const auto last = claim_classes(prompts, {.alpha = 0.05}), early = claim_classes(prompts, {.alpha = 1e-6});
  ASSERT_TRUE(last && early);
  EXPECT_TRUE(last->front().holds) << last->front().adjusted_p;
  EXPECT_FALSE(early->front().holds) << early->front().adjusted_p;
}

}  // namespace
}  // namespace hearth::eval
