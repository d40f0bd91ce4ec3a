#include "hearth/eval/study/divergence_evidence.h"

#include <gtest/gtest.h>

#include "hearth/eval/kl/kl_report.h"

namespace hearth::eval {
namespace {

ArmsFile three_arms() {
  ArmsFile out;
  for (const char* name : {"Q8", "Q4", "Q2"}) out.arms.push_back({.name = name, .model_digest = std::string("digest-") + name});
  return out;
}

Json result_of(std::string base, std::string candidate, KlVerdict verdict = KlVerdict::equivalent) {
  KlReport report{.verdict = verdict};
  report.base = {.name = "base.gguf", .weights = std::move(base)};
  report.candidate = {.name = "candidate.gguf", .weights = std::move(candidate)};
  return kl_json(report);
}

TEST(DivergenceEvidence, CountsForTheTwoModelsThatTheStudyCompares) {
  DivergenceEvidence found;
  ASSERT_TRUE(add_divergence(found, result_of("digest-Q8", "digest-Q4"), three_arms(), "Q4"));
  ASSERT_TRUE(add_divergence(found, result_of("digest-Q4", "digest-Q2", KlVerdict::not_shown), three_arms(), "Q2"));
  ASSERT_EQ(found.gates.size(), 2u);
  EXPECT_EQ(found.gates[0].candidate, "Q4");
  EXPECT_TRUE(found.gates[0].passed);
  EXPECT_FALSE(found.gates[1].passed);
  EXPECT_TRUE(found.ignored.empty());
}

TEST(DivergenceEvidence, OfOtherModelsIsIgnoredAndSaid) {
  struct Case {
    const char *base, *candidate, *arm, *told;
  };
  for (const Case& one : {
           Case{"digest-Q4", "digest-Q2", "Q4", "arm Q8 is digest-Q8; its candidate model is candidate.gguf"},
           Case{"digest-Q8", "digest-Q2", "Q2", "its base model is base.gguf with digest digest-Q8"},
           Case{"digest-Q4", "digest-Q8", "Q2", "arm Q2 is digest-Q2"},
       }) {
    DivergenceEvidence found;
    ASSERT_TRUE(add_divergence(found, result_of(one.base, one.candidate), three_arms(), one.arm));
    EXPECT_TRUE(found.gates.empty());
    ASSERT_EQ(found.ignored.size(), 1u);
    EXPECT_TRUE(found.ignored[0].contains(one.told)) << found.ignored[0];
  }
}

TEST(DivergenceEvidence, AnArmWithoutADigestCannotBeKnownAgain) {
  ArmsFile file = three_arms();
  file.arms[1].model_digest.clear();
  DivergenceEvidence found;
  ASSERT_TRUE(add_divergence(found, result_of("digest-Q8", ""), file, "Q4"));
  EXPECT_TRUE(found.gates.empty());
  EXPECT_TRUE(found.ignored.at(0).contains("arm Q4 states no model_digest"));
}

TEST(DivergenceEvidence, WhatNobodyCanMeanIsAnError) {
  DivergenceEvidence found;
  const Json good = result_of("digest-Q8", "digest-Q4");
  EXPECT_FALSE(add_divergence(found, good, three_arms(), "Q3"));
  EXPECT_FALSE(add_divergence(found, good, three_arms(), "Q8"));
  const auto odd = add_divergence(found, Json::object({{"verdict", "equivalent-by-measurement"}}), three_arms(), "Q4");
  ASSERT_FALSE(odd);
  EXPECT_TRUE(odd.error().message.contains("hearth eval kl --json")) << odd.error().message;
  EXPECT_TRUE(found.empty());
}

}  // namespace
}  // namespace hearth::eval
