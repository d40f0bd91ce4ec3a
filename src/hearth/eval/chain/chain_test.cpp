// The workshop, its grader and the course of chains.
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "hearth/eval/chain/chain_report.h"
#include "hearth/eval/chain/scripted_agent.h"

namespace hearth::eval {
namespace {

ChainOutcome run_chain(const ChainWorld& world, ScriptedAgent& agent) {
  ChainRun run(world);
  while (!run.done()) run.take(agent.answer(run.conversation()));
  return run.outcome();
}

TEST(ChainWorld, IsTheSameForTheSameSeed) {
  const ChainWorld a(7, {}), b(7, {}), other(8, {});
  for (std::uint32_t i = 0; i < a.calls(); ++i) EXPECT_EQ(a.gold_call(i), b.gold_call(i));
  EXPECT_NE(a.gold_call(0), other.gold_call(0));
  EXPECT_EQ(a.opening().messages, b.opening().messages);
  EXPECT_EQ(a.ticket(0).size(), 7u);
}

// A world that changed would make old records and new ones two things under one name.
TEST(ChainWorld, OfSeedOneIsAsItAlwaysWas) {
  const ChainWorld world(1, {});
  EXPECT_EQ(dump_json(world.gold_call(7).arguments),
            R"({"item":"dark clamp","amount":24,"ticket":"L73KQDP","proof":"BXBCNWZ"})");
}

TEST(ChainWorld, EveryTicketIsFreshAndOlderOnesAreAskedFor) {
  const ChainWorld world(3, {.calls = 64});
  std::set<std::string> tickets;
  for (std::uint32_t i = 0; i <= 64; ++i) tickets.insert(world.ticket(i));
  EXPECT_EQ(tickets.size(), 65u);
  std::set<std::uint32_t> distances;
  for (std::uint32_t i = 0; i < 64; ++i) {
    const Json* proof = world.gold_call(i).arguments.find("proof");
    if (proof == nullptr) continue;
    distances.insert(world.step(i).proof_back);
    EXPECT_TRUE(world.was_given_out(proof->as_string(), i));
    EXPECT_NE(proof->as_string(), world.ticket(i));
  }
  EXPECT_EQ(distances, (std::set<std::uint32_t>{3, 7}));
}

TEST(ChainWorld, FactorsShowInTheOpening) {
  const auto plain = ChainWorld(1, {}).opening();
  const auto filled =
      ChainWorld(1, {.distractor_tools = 20, .fill_tokens = 1'000, .injected_error = true})
          .opening();
  EXPECT_EQ(plain.tools.size(), 10u);
  EXPECT_EQ(filled.tools.size(), 30u);
  EXPECT_GT(filled.messages[1].text.size(), plain.messages[1].text.size() + 4'000 - 1);
  EXPECT_EQ(filled.messages.size(), plain.messages.size() + 2);
  const auto unplanned = ChainWorld(1, {.plan_given = false}).opening();
  EXPECT_EQ(unplanned.messages[1].text.find("Step 2"), std::string::npos);
  EXPECT_NE(ChainWorld(1, {.plan_given = false}).result(0).find("Step 2"), std::string::npos);
}

TEST(ChainRun, OfAnAgentWithoutFaultIsCensoredAtTheEnd) {
  for (const bool plan : {true, false}) {
    const ChainWorld world(11, {.calls = 32, .injected_error = !plan, .plan_given = plan});
    ScriptedAgent agent(world, 0, 1);
    const ChainOutcome outcome = run_chain(world, agent);
    EXPECT_FALSE(outcome.failed);
    EXPECT_EQ(outcome.depth, 32u);
    EXPECT_EQ(outcome.error, ChainError::none);
  }
}

class EveryMistake : public ::testing::TestWithParam<ChainError> {};

TEST_P(EveryMistake, IsRecognisedAndEndsTheChainAtItsCall) {
  const ChainWorld world(5, {.calls = 16, .distractor_tools = 20, .retries = 0});
  for (const std::uint32_t depth : {2u, 8u, 12u}) {
    ScriptedAgent agent(world, 0, 1);
    ChainRun run(world);
    while (run.conversation().messages.size() < 2 + 2 * depth) {
      run.take(agent.answer(run.conversation()));
    }
    ASSERT_FALSE(run.done());
    run.take(agent.mistake(GetParam(), depth));
    ASSERT_TRUE(run.done());
    EXPECT_EQ(run.outcome().error, GetParam());
    EXPECT_EQ(run.outcome().failed, GetParam() != ChainError::transport);
    EXPECT_EQ(run.outcome().depth, GetParam() == ChainError::transport ? depth : depth + 1);
    EXPECT_EQ(grade_forced(world, depth, agent.mistake(GetParam(), depth)), GetParam());
  }
}

INSTANTIATE_TEST_SUITE_P(
    Kinds, EveryMistake,
    ::testing::Values(ChainError::transport, ChainError::template_leak, ChainError::call_as_text,
                      ChainError::bad_json, ChainError::unknown_tool, ChainError::schema_invalid,
                      ChainError::duplicate, ChainError::wrong_order, ChainError::wrong_tool,
                      ChainError::stale_value, ChainError::hallucinated_argument,
                      ChainError::false_success, ChainError::premature_stop),
    [](const auto& tested) { return std::string(chain_error_name(tested.param)); });

TEST(ChainRun, TheSameCallThreeTimesInARowIsALoopWhateverIsForgiven) {
  const ChainWorld world(5, {.calls = 16, .retries = 10});
  ScriptedAgent agent(world, 0, 1);
  ChainRun run(world);
  for (int i = 0; i < 2; ++i) run.take(agent.answer(run.conversation()));
  while (!run.done()) run.take(agent.mistake(ChainError::stale_value, 2));
  EXPECT_EQ(run.outcome().error, ChainError::loop);
  EXPECT_EQ(run.outcome().depth, 3u);
}

TEST(ChainRun, AMistakeThatIsMendedIsCountedAndForgiven) {
  const ChainWorld world(5, {.calls = 8, .retries = 1});
  ScriptedAgent agent(world, 0, 1);
  ChainRun run(world);
  run.take(agent.mistake(ChainError::hallucinated_argument, 0));
  run.take(agent.answer(run.conversation()));
  run.take(agent.mistake(ChainError::premature_stop, 1));
  while (!run.done()) run.take(agent.answer(run.conversation()));
  EXPECT_FALSE(run.outcome().failed);
  EXPECT_EQ(run.outcome().recovered,
            (std::map<ChainError, std::uint32_t>{{ChainError::hallucinated_argument, 1},
                                                 {ChainError::premature_stop, 1}}));
}

TEST(ChainRun, CallsOfOneTurnAreGradedOneAfterAnother) {
  const ChainWorld world(5, {.calls = 8, .retries = 0});
  ChainRun run(world);
  ModelTurn turn;
  for (std::uint32_t i = 0; i < 3; ++i) turn.calls.push_back(world.gold_call(i));
  run.take(std::move(turn));
  EXPECT_FALSE(run.done());
  EXPECT_EQ(run.conversation().messages.size(), 2u + 1 + 3);
}

TEST(ChainRun, AnAgentThatTalksForEverComesToAnEnd) {
  const ChainWorld world(5, {.calls = 4, .retries = 10});
  ChainRun run(world);
  int turns = 0;
  while (!run.done() && ++turns < 1'000) run.take({.text = "Let me think.", .thinking = {}});
  EXPECT_TRUE(run.done());
}

TEST(ChainOutcome, ComesBackAsItWas) {
  ChainOutcome outcome{.depth = 9,
                       .failed = true,
                       .error = ChainError::stale_value,
                       .recovered = {{ChainError::loop, 2}},
                       .turns = 10};
  EXPECT_EQ(chain_outcome_from_json(chain_outcome_json(outcome)).value(), outcome);
  Json json = chain_outcome_json(outcome);
  json.set("error", "no such");
  EXPECT_FALSE(chain_outcome_from_json(json));
}

std::vector<ChainRecord> many_chains(std::uint32_t count, double error_rate, std::uint64_t seed,
                                     ChainOptions options) {
  std::vector<ChainRecord> out;
  for (std::uint32_t i = 0; i < count; ++i) {
    const ChainWorld world(1'000 + i, options);
    ScriptedAgent agent(world, error_rate, seed * 100'003 + i);
    out.push_back({.seed = world.seed(), .outcome = run_chain(world, agent)});
  }
  return out;
}

// 96 chains of eight calls, a per-call error of 8 %: S(8) = 0.92^8 = 0.513. The interval must hold it in
// 95 of 100 studies; 500 studies give that share a standard error of one.
TEST(ChainReport, IntervalOfTheEighthCallHoldsTheTruth) {
  constexpr int studies = 500;
  int held = 0;
  for (int study = 0; study < studies; ++study) {
    const auto chains =
        many_chains(96, 0.08, static_cast<std::uint64_t>(study) + 1, {.calls = 8, .retries = 0});
    const auto eighth = report_arm("scripted", chains, {})->survival.at(8).value();
    const double truth = std::pow(0.92, 8);
    held += eighth.low <= truth && truth <= eighth.high ? 1 : 0;
  }
  EXPECT_GE(held, 465);  // 93 %
  EXPECT_LE(held, 485);  // 97 %
}

TEST(ChainReport, HalfLifeIsThatOfTheHazard) {
  const ChainArm arm =
      report_arm("scripted", many_chains(400, 0.05, 3, {.calls = 32, .retries = 0}), {}).value();
  EXPECT_NEAR(arm.survival.half_life().value(), 13.5, 0.17 * 13.5);
  EXPECT_EQ(arm.chains, 400u);
  EXPECT_EQ(arm.errors.begin()->first, ChainError::hallucinated_argument);
  EXPECT_NE(chain_sentence(arm).find("8 dependent calls"), std::string::npos);
}

TEST(ChainReport, TellsAWorseArmFromAnEqualOne) {
  const ChainOptions options{.calls = 32, .retries = 0};
  const auto reference = many_chains(120, 0.03, 1, options);
  EXPECT_LT(compare_arms(many_chains(120, 0.10, 2, options), reference)->p_worse, 0.001);
  EXPECT_GT(compare_arms(many_chains(120, 0.03, 3, options), reference)->p, 0.01);
}

TEST(ChainReport, IndependentMistakesShowNoSelfConditioning) {
  const ChainOptions options{.calls = 8, .retries = 0};
  std::vector<ForcedRecord> forced;
  for (std::uint32_t i = 0; i < 400; ++i) {
    const ChainWorld world(1'000 + i, options);
    ScriptedAgent agent(world, 0.05, 77'000 + i);
    for (std::uint32_t depth = 0; depth < 8; ++depth) {
      forced.push_back(
          {world.seed(), depth,
           grade_forced(world, depth, agent.answer(forced_conversation(world, depth)))});
    }
  }
  const ChainArm arm = report_arm("scripted", many_chains(400, 0.05, 5, options), forced).value();
  ASSERT_TRUE(arm.self_conditioning);
  EXPECT_EQ(arm.self_conditioning_depth, 8u);
  EXPECT_NEAR(*arm.self_conditioning, 0, 0.15);
}

TEST(ChainReport, LostChainsAreCensoredNotFailed) {
  std::vector<ChainRecord> chains = many_chains(50, 0, 1, {.calls = 8, .retries = 0});
  for (int i = 0; i < 10; ++i) {
    chains[static_cast<std::size_t>(i)].outcome = {
        .depth = 3, .failed = false, .error = ChainError::transport};
  }
  const ChainArm arm = report_arm("scripted", chains, {}).value();
  EXPECT_EQ(arm.lost, 10u);
  EXPECT_EQ(arm.survival.at(8)->survival, 1);
  EXPECT_FALSE(arm.survival.half_life());
}

}  // namespace
}  // namespace hearth::eval
