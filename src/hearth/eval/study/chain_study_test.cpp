#include "hearth/eval/study/chain_study.h"

#include <gtest/gtest.h>

#include "hearth/base/file.h"
#include "hearth/eval/chain/scripted_agent.h"

namespace hearth::eval {
namespace {

class ChainStudy : public ::testing::Test {
 protected:
  store::ChainStore open() const {
    return store::ChainStore::open(directory_.path() / "chains.db").value();
  }
  // An endpoint that knows the worlds, told apart by the first ticket in the task.
  TurnSource source(double error_rate) {
    return [this, error_rate](const chat::ChatRequest& request,
                              const StopToken&) -> chat::ApiResult<ModelTurn> {
      ++asked_;
      if (fails_at_ == asked_) return std::unexpected(failure_);
      for (std::uint64_t seed = plan_.first_seed; seed < plan_.first_seed + plan_.chains; ++seed) {
        const ChainWorld world(seed, plan_.options);
        if (request.conversation.messages[1].text != world.opening().messages[1].text) continue;
        ScriptedAgent agent(world, error_rate, seed * 1'000 + request.conversation.messages.size());
        return agent.answer(request.conversation);
      }
      ADD_FAILURE() << "a conversation of no world";
      return std::unexpected(failure_);
    };
  }
  Result<> run(double error_rate = 0, const StopToken& stop = {}) {
    store::ChainStore records = open();
    return run_chains(
        arm_, plan_, source(error_rate), records, [](std::size_t, std::size_t) {}, stop);
  }
  ChainRecords read() const { return read_chains(open(), arm_, plan_).value(); }

  TemporaryDirectory directory_ = TemporaryDirectory::create("hearth-chain-test").value();
  Arm arm_{.name = "Q4"};
  ChainPlan plan_{.options = {.calls = 8, .retries = 0}, .chains = 12};
  std::uint32_t asked_ = 0, fails_at_ = 0;
  chat::ApiError failure_{.kind = chat::ApiError::Kind::authentication, .message = "no such key"};
};

TEST_F(ChainStudy, KeepsEveryChainAndAsksForNoneTwice) {
  ASSERT_TRUE(run(0.1));
  const ChainRecords first = read();
  EXPECT_EQ(first.chains.size(), 12u);
  const std::uint32_t asked = asked_;
  ASSERT_TRUE(run(0.1));
  EXPECT_EQ(asked_, asked);
}

TEST_F(ChainStudy, GoesOnAfterAFailureToTheSameRecords) {
  ASSERT_TRUE(run(0.1));
  const ChainRecords whole = read();
  for (const std::uint32_t fails_at : {1u, 7u, 30u}) {
    std::filesystem::remove(directory_.path() / "chains.db");
    asked_ = 0;
    fails_at_ = fails_at;
    const auto failed = run(0.1);
    ASSERT_FALSE(failed);
    EXPECT_NE(failed.error().message.find("no such key"), std::string::npos);
    fails_at_ = 0;
    ASSERT_TRUE(run(0.1));
    const ChainRecords again = read();
    ASSERT_EQ(again.chains.size(), whole.chains.size());
    for (std::size_t i = 0; i < whole.chains.size(); ++i) {
      EXPECT_EQ(again.chains[i].outcome, whole.chains[i].outcome);
    }
  }
}

TEST_F(ChainStudy, WhatAServiceRefusesForGoodIsLostNotWrong) {
  failure_.kind = chat::ApiError::Kind::prompt_too_long;
  fails_at_ = 5;
  ASSERT_TRUE(run());
  const ChainArm arm = report_arm("Q4", read().chains, {}).value();
  EXPECT_EQ(arm.lost, 1u);
  EXPECT_EQ(arm.finished, 11u);
}

TEST_F(ChainStudy, ForcedCallsAreKeptBesideChains) {
  plan_.forced = true;
  plan_.chains = 3;
  ASSERT_TRUE(run());
  const ChainRecords found = read();
  EXPECT_EQ(found.forced.size(), 24u);
  const ChainArm arm = report_arm("Q4", found.chains, found.forced).value();
  EXPECT_EQ(arm.forced.size(), 8u);
  EXPECT_NEAR(arm.self_conditioning.value(), 0, 1e-12);
}

TEST_F(ChainStudy, AnotherArmOrOptionIsAnotherCell) {
  const std::string cell = chain_cell(arm_, plan_);
  Arm other = arm_;
  other.temperature = 0.6;
  EXPECT_NE(chain_cell(other, plan_), cell);
  ChainPlan filled = plan_;
  filled.options.fill_tokens = 8'000;
  EXPECT_NE(chain_cell(arm_, filled), cell);
  ASSERT_TRUE(run());
  EXPECT_TRUE(read_chains(open(), arm_, filled)->chains.empty());
}

TEST_F(ChainStudy, StopsBetweenChains) {
  StopSource stop;
  stop.request_stop();
  EXPECT_EQ(run(0, stop.token()).error().code, Code::cancelled);
}

}  // namespace
}  // namespace hearth::eval
