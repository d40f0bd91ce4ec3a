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
  // A service that knows the worlds, told apart by the first ticket in the task.
  class Agent final : public Service {
   public:
    Agent(ChainStudy& test, double error_rate) : test_(test), error_rate_(error_rate) {}
    chat::ApiResult<ServiceReply> ask(const chat::ChatRequest& request, Egress egress, const StopToken&) override {
      EXPECT_EQ(egress, Egress::open);
      if (++test_.asked_ == test_.fails_at_) return std::unexpected(test_.failure_);
      for (std::uint64_t seed = test_.plan_.first_seed; seed < test_.plan_.first_seed + test_.plan_.chains; ++seed) {
        const ChainWorld world(seed, test_.plan_.options);
        if (request.conversation.messages[1].text != world.opening().messages[1].text) continue;
        ScriptedAgent agent(world, error_rate_, seed * 1'000 + request.conversation.messages.size());
        ModelTurn turn = agent.answer(request.conversation);
        return ServiceReply{.text = std::move(turn.text),
                            .thinking = std::move(turn.thinking),
                            .calls = std::move(turn.calls),
                            .end = {},
                            .cost_usd = test_.call_usd_};
      }
      ADD_FAILURE() << "a conversation of no world";
      return std::unexpected(test_.failure_);
    }
    upstream::EndpointState look(const StopToken&) override { return {.alive = true, .ready = true}; }

   private:
    ChainStudy& test_;
    const double error_rate_;
  };
  Result<> run(double error_rate = 0, const StopToken& stop = {}) {
    store::ChainStore records = open();
    Agent agent(*this, error_rate);
    const auto wanted = wanted_chains(arm_, plan_, records).value();
    return run_chains(arm_, plan_, wanted, agent, records, [](const ChainCourse&) {}, stop);
  }
  ChainRecords read() const { return read_chains(open(), arm_, plan_).value(); }

  TemporaryDirectory directory_ = TemporaryDirectory::create("hearth-chain-test").value();
  Arm arm_{.name = "Q4"};
  ChainPlan plan_{.options = {.calls = 8, .retries = 0}, .chains = 12};
  std::uint32_t asked_ = 0, fails_at_ = 0;
  double call_usd_ = 0;
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

TEST_F(ChainStudy, StopsBeforeTheCapAndCountsWhatAnUnfinishedChainCost) {
  arm_.endpoint.prices = {.prompt = 1, .answer = 1};
  call_usd_ = 0.004;  // less than what is set aside for it
  arm_.money_max_usd = 0.1;
  plan_.retry.first_pause = Duration(0);
  const auto stopped = run();
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().code, Code::resource_exhausted);
  EXPECT_TRUE(stopped.error().message.contains("arm Q4: its cap of 0.1 dollars")) << stopped.error().message;
  const double paid = open().paid_usd("Q4").value();
  EXPECT_LE(paid, 0.1);
  EXPECT_GT(paid, 0.06);
  EXPECT_NEAR(paid, asked_ * call_usd_, 1e-9);
  EXPECT_LT(read().chains.size(), 12u);
  EXPECT_FALSE(run());  // the chain begins anew, under the same cap
  EXPECT_LE(open().paid_usd("Q4").value(), 0.1);
  arm_.money_max_usd = 10;  // the same arm: its records count
  ASSERT_TRUE(run());
  EXPECT_EQ(read().chains.size(), 12u);
  EXPECT_NEAR(open().paid_usd("Q4").value(), asked_ * call_usd_, 1e-9);
  EXPECT_EQ(open().paid_usd("Q8").value(), 0);
}

TEST_F(ChainStudy, StopsBetweenChains) {
  StopSource stop;
  stop.request_stop();
  EXPECT_EQ(run(0, stop.token()).error().code, Code::cancelled);
}

}  // namespace
}  // namespace hearth::eval
