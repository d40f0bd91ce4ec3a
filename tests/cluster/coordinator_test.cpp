// The coordinator with real machines: pairs are tried before they are trusted, choices are logged
// with what came of them, and whatever is chosen the text is the same.

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <thread>

#include "hearth/node/agent/pair_trial.h"
#include "hearth/node/agent/prefill_coordinator.h"
#include "tests/cluster/answers.h"

namespace hearth::node {
namespace {

using testing::answer;
using testing::Machine;
using testing::text_tokens;

struct Cluster {
  explicit Cluster(const Machine::Options& options = {}, const Machine::Options& peer_options = {},
                   CoordinatorOptions how = {})
      : decode("decode", options), prefill("prefill", peer_options),
        coordinator(completed(std::move(how)), decode.agent(), decode.model().keeper(),
                    decode.inbox(), decode.http()) {
    decode.model().set_prefiller(&coordinator);
    EXPECT_TRUE(coordinator.wait_until_tried(Deadline::after(std::chrono::seconds(60))));
  }
  CoordinatorOptions completed(CoordinatorOptions how) {
    how.machine = "decode";
    how.deliver_to = decode.address().text();
    how.find_peers = [peer = prefill.as_peer()] { return std::vector{peer}; };
    how.look_interval = std::chrono::milliseconds(100);
    return how;
  }
  Json peer() const { return coordinator.peers().as_array().at(0); }

  Machine decode, prefill;
  PrefillCoordinator coordinator;
};

Machine::Options other_precision() {
  Machine::Options out;
  out.weight_type = "q4_k";
  return out;
}

TEST(PrefillCoordinator, TriesAPairAndLearnsItsRates) {
  Cluster cluster;
  const Json peer = cluster.peer();
  EXPECT_TRUE(get<bool>(peer, "usable").value()) << dump_json(peer, 2);
  const Json* parity = peer.find("parity");
  ASSERT_NE(parity, nullptr) << dump_json(peer, 2);
  EXPECT_TRUE(get<bool>(*parity, "exact").value());  // one backend, one build
  EXPECT_EQ(get<std::uint32_t>(*parity, "tokens_equal").value(),
            get<std::uint32_t>(*parity, "tokens_compared").value());
  EXPECT_GT(get<double>(peer, "link_mb_per_s").value(), 0);
}

TEST(PrefillCoordinator, LogsWhatItChoseWithTheAlternativesAndWhatCameOfIt) {
  Cluster cluster;
  const auto prompt = text_tokens(cluster.decode, 500);
  const auto got = answer(cluster.decode, prompt);
  Machine alone("alone", {});
  EXPECT_EQ(got.tokens, answer(alone, prompt).tokens);
  const Json log = cluster.coordinator.decisions();
  const auto& decisions = log.find("decisions")->as_array();
  ASSERT_EQ(decisions.size(), 1u);
  EXPECT_EQ(decisions[0].find("options")->as_array().size(), 2u);
  EXPECT_TRUE(decisions[0].find("chosen")->is_string()) << dump_json(decisions[0], 2);
  EXPECT_GT(get<double>(decisions[0], "actual_s").value(), 0) << dump_json(decisions[0], 2);
}

TEST(PrefillCoordinator, ARequestThatBeginsAgainHasBothDecisionsClosed) {
  Cluster cluster;
  const auto prompt = text_tokens(cluster.decode, 500);
  const auto layout = *cluster.decode.model().keeper().current()->info.layout();
  const PrefillOrder order{.request = 7, .target = prompt, .layout = layout, .stored = {}};
  for (int i = 0; i < 2; ++i) EXPECT_TRUE(cluster.coordinator.open(order, {}));
  const Json log = cluster.coordinator.decisions();
  const auto& decisions = log.find("decisions")->as_array();
  ASSERT_EQ(decisions.size(), 2u);
  std::multiset<std::string> outcomes;
  for (const Json& decision : decisions) outcomes.insert(get_or<std::string>(decision, "outcome", "").value());
  EXPECT_EQ(outcomes.count("the worker died; the request began again"), 1u) << dump_json(log, 2);
}

std::uint64_t computed_tokens(Machine& machine) {
  const auto worker = machine.model().keeper().current();
  const auto stats = worker->client.stats(Deadline::after(std::chrono::seconds(10)), {}).value();
  return get<std::uint64_t>(stats, "prompt_tokens_computed").value();
}

// Computes nothing; remembers how many answers were being written when it was asked, and when it was told.
struct CountsAnswers final : Prefiller {
  Result<std::unique_ptr<ChunkSource>> open(const PrefillOrder& order, const StopToken&) override {
    asked.push_back(order.answers_beside);
    return nullptr;
  }
  void on_first_token(const FirstToken& first) override { told.push_back(first.answers_beside); }

  void on_left(std::uint64_t) override { ++left; }

  std::vector<std::uint32_t> asked;
  std::vector<std::optional<std::uint32_t>> told;
  int left = 0;
};

TEST(PrefillOrder, SaysHowManyAnswersAreBeingWritten) {
  Machine machine("decode", {});
  CountsAnswers prefiller;
  machine.model().set_prefiller(&prefiller);
  const auto prompt = text_tokens(machine, 600);
  {
    auto other = machine.model().generate(testing::request_for({prompt.begin(), prompt.begin() + 20}, 400), {});
    ASSERT_TRUE(other) << other.error().message;
    while (!std::holds_alternative<engine::TokenDone>((*other)->next(Deadline::after(std::chrono::seconds(60))).value())) {
    }
    answer(machine, prompt);
  }
  answer(machine, text_tokens(machine, 900));
  EXPECT_EQ(prefiller.asked, (std::vector<std::uint32_t>{1, 0}));
  EXPECT_EQ(prefiller.told, (std::vector<std::optional<std::uint32_t>>{1, 0}));
  EXPECT_EQ(prefiller.left, 0);
  machine.model().set_prefiller(nullptr);
}

TEST(PrefillOrder, OneWhoseClientLeavesBeforeTheFirstTokenIsToldOfAsLeft) {
  Machine machine("decode", {});
  CountsAnswers prefiller;
  machine.model().set_prefiller(&prefiller);
  {
    auto answer = machine.model().generate(testing::request_for(text_tokens(machine, 1300)), {});
    ASSERT_TRUE(answer) << answer.error().message;
    (void)(*answer)->next(Deadline::after(std::chrono::seconds(60)));  // progress
  }
  EXPECT_EQ(prefiller.asked.size(), 1u);
  EXPECT_EQ(prefiller.left, 1);
  EXPECT_TRUE(prefiller.told.empty());
  machine.model().set_prefiller(nullptr);
}

TEST(PrefillCoordinator, KnowsHowMuchSlowerThisMachineIsBesideAnswers) {
  Cluster cluster;
  const auto prompt = text_tokens(cluster.decode, 500);
  const auto layout = *cluster.decode.model().keeper().current()->info.layout();
  const auto predicted_s = [&](std::uint32_t answers_beside) {
    const PrefillOrder order{.request = 7, .target = prompt, .layout = layout, .stored = {},
                             .answers_beside = answers_beside};
    EXPECT_TRUE(cluster.coordinator.open(order, {}));
    const Json log = cluster.coordinator.decisions();
    return get<double>(log.find("decisions")->as_array().back().find("options")->as_array().at(0), "predicted_s").value();
  };
  const double alone_s = predicted_s(0);
  cluster.coordinator.on_first_token({.computed_tokens = 500, .prefill = std::chrono::seconds(100), .answers_beside = 1});
  EXPECT_GT(predicted_s(1), 90);
  EXPECT_NEAR(predicted_s(0), alone_s, alone_s / 1000);
}

TEST(PrefillCoordinator, KnowsWhatANewPromptHasToWaitForHere) {
  Cluster cluster({}, {}, {.policy = cluster::PrefillPolicy::alone});
  const auto prompt = text_tokens(cluster.decode, 500);
  const auto layout = *cluster.decode.model().keeper().current()->info.layout();
  const auto term_s = [&](std::uint64_t request, const char* term) {
    EXPECT_TRUE(cluster.coordinator.open({.request = request, .target = prompt, .layout = layout, .stored = {}}, {}));
    const Json log = cluster.coordinator.decisions();
    const Json& option = log.find("decisions")->as_array().back().find("options")->as_array().at(0);
    return get<double>(*option.find("terms"), term).value();
  };
  const auto done = [&](std::uint64_t request, int prefill_s) {
    cluster.coordinator.on_first_token({.request = request, .computed_tokens = 500, .prefill = std::chrono::seconds(prefill_s),
                                        .answers_beside = 0});
  };
  EXPECT_EQ(term_s(1, "queue_s"), 0);
  done(1, 100);  // a slow machine: nothing here ends while the test looks
  const double prefill_s = term_s(2, "prefill_s");
  EXPECT_GT(term_s(3, "queue_s"), 0);
  EXPECT_GT(term_s(2, "queue_s"), 0);  // it begins again, behind the other
  done(2, 5'000);
  done(3, 5'000);
  EXPECT_EQ(term_s(4, "prefill_s"), prefill_s);  // they shared the machine and taught nothing
  cluster.coordinator.on_left(4);
  EXPECT_EQ(term_s(5, "queue_s"), 0);
}

// Two turns of a conversation, the first as `first_turn` says; what the peer was predicted to do for the second.
struct SecondTurn {
  explicit SecondTurn(cluster::PrefillPolicy first_turn) : cluster({}, {}, {.policy = first_turn}) {
    const auto prompt = text_tokens(cluster.decode, 1290);
    answer(cluster.decode, {prompt.begin(), prompt.begin() + 1034});
    EXPECT_TRUE(cluster.decode.model().flush(Deadline::after(std::chrono::seconds(30))));
    cluster.coordinator.set_policy(cluster::PrefillPolicy::remote);
    const std::uint64_t before = computed_tokens(cluster.prefill);
    answer(cluster.decode, prompt);
    computed_by_peer = computed_tokens(cluster.prefill) - before;
    const Json log = cluster.coordinator.decisions();
    const Json& terms = *log.find("decisions")->as_array().back().find("options")->as_array().at(1).find("terms");
    missing_prefix_s = get<double>(terms, "missing_prefix_s").value();
    prefill_s = get<double>(terms, "prefill_s").value();
  }

  Cluster cluster;
  std::uint64_t computed_by_peer = 0;
  double missing_prefix_s = 0, prefill_s = 0;
};

constexpr std::uint64_t new_and_unstored_tokens = 1290 - 1024;

TEST(PrefillCoordinator, APeerThatComputedTheLastTurnIsTakenToHaveIt) {
  const SecondTurn turn(cluster::PrefillPolicy::remote);
  EXPECT_LE(turn.computed_by_peer, new_and_unstored_tokens);
  EXPECT_LT(turn.missing_prefix_s, turn.prefill_s / 2);  // of ten tokens, not of a thousand
}

TEST(PrefillCoordinator, APeerThatLacksTheLastTurnFetchesIt) {
  const SecondTurn turn(cluster::PrefillPolicy::alone);
  EXPECT_LE(turn.computed_by_peer, new_and_unstored_tokens);
  EXPECT_LT(turn.missing_prefix_s, turn.prefill_s);
}

TEST(PrefillCoordinator, AnOtherLayoutIsRefusedWithTheFieldBeforeAnyRequest) {
  Machine::Options q8;
  q8.kv_type = "q8_0";
  Cluster cluster({}, q8);
  const Json peer = cluster.peer();
  EXPECT_FALSE(get<bool>(peer, "usable").value());
  EXPECT_EQ(get<std::string>(peer, "trouble").value(), "cannot be paired: k_type: f16 against q8_0");
}

TEST(PrefillCoordinator, AnotherQuantisationIsRefusedWithTheFieldAndTheWayToAllowIt) {
  Cluster cluster({}, other_precision());
  const Json peer = cluster.peer();
  EXPECT_FALSE(get<bool>(peer, "usable").value());
  const auto trouble = get<std::string>(peer, "trouble").value();
  EXPECT_TRUE(trouble.starts_with("cannot be paired: gguf: ")) << trouble;
  EXPECT_NE(trouble.find("cluster.other_precision"), std::string::npos) << trouble;
  EXPECT_EQ(answer(cluster.decode, text_tokens(cluster.decode, 500)).prompt.foreign_tokens, 0u);
}

TEST(PrefillCoordinator, AnotherQuantisationThatIsAllowedPrefillsAndTheAnswerSaysSo) {
  Cluster cluster({}, other_precision(),
                  {.other_precision = {{"prefill", 1000.0}}, .policy = cluster::PrefillPolicy::remote});
  const Json peer = cluster.peer();
  EXPECT_TRUE(get<bool>(peer, "usable").value()) << dump_json(peer, 2);
  EXPECT_TRUE(get<bool>(peer, "other_precision").value());
  EXPECT_FALSE(get<bool>(*peer.find("parity"), "exact").value()) << dump_json(peer, 2);

  const auto prompt = text_tokens(cluster.decode, 1250);
  const auto got = answer(cluster.decode, prompt);
  EXPECT_EQ(got.prompt.foreign_tokens, 1249u);
  EXPECT_EQ(got.tokens.size(), testing::answer_tokens);
  const Json log = cluster.coordinator.decisions();
  const Json& decision = log.find("decisions")->as_array().at(0);
  EXPECT_EQ(get<std::string>(decision, "outcome").value(),
            "as chosen, with another quantisation of the model");

  // Nothing of it is kept under the name of what this machine would have computed.
  EXPECT_TRUE(cluster.decode.model().flush(Deadline::after(std::chrono::seconds(60))));
  const auto own = *cluster.decode.model().keeper().current()->info.layout();
  EXPECT_EQ(cluster.decode.model().store()->longest_prefix(own, prompt).token_count(), 0u);

  // What goes on from it says so too.
  auto longer = prompt;
  longer.insert(longer.end(), got.tokens.begin(), got.tokens.end());
  longer.push_back(7);
  EXPECT_GE(answer(cluster.decode, longer).prompt.foreign_tokens, 1249u);
}

TEST(PrefillCoordinator, AnotherQuantisationTooFarOffIsNotTrusted) {
  Cluster cluster({}, other_precision(), {.other_precision = {{"prefill", 1e-12}}});
  const Json peer = cluster.peer();
  EXPECT_FALSE(get<bool>(peer, "usable").value()) << dump_json(peer, 2);
  EXPECT_TRUE(get<std::string>(peer, "why_not").value().starts_with("distrusted: parity")) << dump_json(peer, 2);
}

// Of trials with these divergences: how many are run, and the divergence of the one that counts; below 0 it fails.
std::pair<std::uint32_t, double> trials_until_sure(std::vector<double> divergences) {
  std::uint32_t count = 0;
  const auto report = try_until_sure(
      [&]() -> Result<TrialReport> {
        const double kl = divergences.at(count++);
        if (kl < 0) return fail(Code::unavailable, "the peer is gone");
        return TrialReport{.parity = {.top_equal = true, .kl = kl}};
      },
      {.kl_max = 0.01});
  return {count, report ? report->parity.kl : -1};
}

TEST(PairTrial, OneThatIsFarOffBesideOtherWorkIsRepeated) {
  using Outcome = std::pair<std::uint32_t, double>;
  EXPECT_EQ(trials_until_sure({0.001}), Outcome(1, 0.001));
  EXPECT_EQ(trials_until_sure({0.03, 0.002}), Outcome(2, 0.002));
  EXPECT_EQ(trials_until_sure({0.03, -1}), Outcome(2, -1));
  EXPECT_EQ(trials_until_sure({0.03, 0.04, 0.05}), Outcome(3, 0.05));
}

TEST(PrefillCoordinator, AnIdlePairIsTriedAgainAndTheLogSaysSo) {
  Cluster cluster({}, {}, {.canary_interval = std::chrono::milliseconds(50)});
  const Deadline enough = Deadline::after(std::chrono::seconds(60));
  const auto canaries = [&] { return cluster.coordinator.decisions().find("canaries")->as_array().size(); };
  while (canaries() < 3 && !enough.passed()) std::this_thread::yield();
  const Json log = cluster.coordinator.decisions();
  ASSERT_GE(log.find("canaries")->as_array().size(), 3u);
  for (const Json& canary : log.find("canaries")->as_array()) {
    EXPECT_TRUE(get<bool>(canary, "passed").value()) << dump_json(canary, 2);
    EXPECT_TRUE(get<bool>(*canary.find("parity"), "exact").value()) << dump_json(canary, 2);
  }
}

TEST(PrefillCoordinator, TheRoadNotTakenIsRunWhenNobodyWaits) {
  Cluster cluster({}, {}, {.shadows = {.request_share_max = 1, .seconds_share_max = 1000, .worth_factor = 1e6}});
  answer(cluster.decode, text_tokens(cluster.decode, 1250));
  const Deadline enough = Deadline::after(std::chrono::seconds(60));
  const auto measured_options = [&] {
    const Json log = cluster.coordinator.decisions();
    const Json& decision = log.find("decisions")->as_array().at(0);
    return std::ranges::count_if(decision.find("options")->as_array(),
                                 [](const Json& option) { return option.find("measured_s") != nullptr; });
  };
  while (measured_options() < 2 && !enough.passed()) std::this_thread::yield();
  EXPECT_EQ(measured_options(), 2);
  const Json log = cluster.coordinator.decisions();
  EXPECT_EQ(get<std::uint64_t>(*log.find("summary"), "shadow_checks").value(), 1u);
}

TEST(PrefillCoordinator, APeerThatIsGoneIsNotAsked) {
  Cluster cluster;
  cluster.prefill.stop_listening();
  const Deadline noticed = Deadline::after(std::chrono::seconds(20));
  const auto usable = [&] {
    return get<bool>(cluster.coordinator.peers().as_array().at(0), "usable").value();
  };
  while (usable() && !noticed.passed()) std::this_thread::yield();
  EXPECT_FALSE(usable());
  EXPECT_EQ(answer(cluster.decode, text_tokens(cluster.decode, 500)).tokens.size(), testing::answer_tokens);
}

}  // namespace
}  // namespace hearth::node
