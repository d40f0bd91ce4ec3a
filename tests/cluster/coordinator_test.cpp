// The coordinator with real machines: pairs are tried before they are trusted, choices are logged
// with what came of them, and whatever is chosen the text is the same.

#include <gtest/gtest.h>

#include "hearth/node/agent/prefill_coordinator.h"
#include "tests/cluster/answers.h"

namespace hearth::node {
namespace {

using testing::answer;
using testing::Machine;
using testing::text_tokens;

struct Cluster {
  explicit Cluster(const Machine::Options& options = {}, const Machine::Options& peer_options = {})
      : decode("decode", options), prefill("prefill", peer_options),
        coordinator({.machine = "decode", .deliver_to = decode.address().text(),
                     .find_peers = [peer = prefill.as_peer()] { return std::vector{peer}; },
                     .look_interval = std::chrono::milliseconds(100)},
                    decode.agent(), decode.model().keeper(), decode.inbox(), decode.http()) {
    decode.model().set_prefiller(&coordinator);
    EXPECT_TRUE(coordinator.wait_until_tried(Deadline::after(std::chrono::seconds(60))));
  }
  Machine decode, prefill;
  PrefillCoordinator coordinator;
};

TEST(PrefillCoordinator, TriesAPairAndLearnsItsRates) {
  Cluster cluster;
  const Json peer = cluster.coordinator.peers().as_array().at(0);
  EXPECT_TRUE(get<bool>(peer, "usable").value()) << dump_json(peer, 2);
  const Json* parity = peer.find("parity");
  ASSERT_NE(parity, nullptr) << dump_json(peer, 2);
  EXPECT_TRUE(get<bool>(*parity, "exact").value());  // one backend, one build
  EXPECT_EQ(get<std::uint32_t>(*parity, "tokens_equal").value(), get<std::uint32_t>(*parity, "tokens_compared").value());
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

TEST(PrefillCoordinator, AnOtherLayoutIsRefusedWithTheFieldBeforeAnyRequest) {
  Machine::Options q8;
  q8.kv_type = "q8_0";
  Cluster cluster({}, q8);
  const Json peer = cluster.coordinator.peers().as_array().at(0);
  EXPECT_FALSE(get<bool>(peer, "usable").value());
  EXPECT_EQ(get<std::string>(peer, "trouble").value(), "cannot be paired: k_type: f16 against q8_0");
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
