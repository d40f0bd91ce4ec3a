#include "hearth/cluster/prefill_choice.h"

#include <gtest/gtest.h>

#include <cmath>

#include "hearth/base/random.h"

namespace hearth::cluster {
namespace {

const Instant now = Instant(std::chrono::hours(1));

struct Machine {
  double token_s = 1.0 / 120, depth_token_s = 0, decode_s = 0.05, import_token_s = 5e-6;
};

void learn(RateBook& rates, const std::string& name, const Machine& m) {
  const MachineModel on{name, "kimi"};
  for (const std::uint32_t depth : {0u, 60'000u}) {
    rates.observe_prefill(on, 1'000, depth, 1'000 * (m.token_s + m.depth_token_s * (depth + 500)),
                          now);
  }
  rates.observe_decode(on, m.decode_s, now);
  rates.observe_import(on, 1'000, 1'000 * m.import_token_s, now);
}

void learn_link(RateBook& rates, const std::string& a, const std::string& b, double bytes_per_s) {
  for (const LinkEnds& ends : {LinkEnds{a, b}, LinkEnds{b, a}}) {
    rates.observe_transfer(ends, 100'000'000, 1e8 / bytes_per_s, now);
    rates.observe_round_trip(ends, 0.001, now);
  }
}

struct Scene {
  RateBook rates;
  PrefillSituation situation;

  Scene() {
    learn(rates, "studio", {});
    learn(rates, "spark-1", {.token_s = 1.0 / 600});
    learn_link(rates, "studio", "spark-1", 1.15e9);
    situation.model = "kimi";
    situation.prompt_tokens = 10'001;
    situation.kv_bytes_per_token = 70'272;
    situation.decode = {{.machine = "studio"}};
    situation.prefill = {{.name = "spark-1"}};
    situation.now = now;
  }
  Choice choose() const { return cluster::choose(situation, rates); }
};

TEST(PrefillChoice, SavesSecondsThroughAFasterPeerAndSaysSo) {
  const Choice choice = Scene().choose();
  const PrefillOption& chosen = *choice.find_chosen();
  EXPECT_EQ(chosen.name(), "remote on spark-1 for studio");
  EXPECT_NEAR(chosen.terms.prefill_s, 10'000 / 600.0, 0.01);
  EXPECT_NEAR(chosen.terms.transfer_s, 10'000 * 70'272 / 1.15e9, 0.01);
  EXPECT_NEAR(chosen.terms.tail_s, 1'024 * 70'272 / 1.15e9, 0.001);
  EXPECT_NEAR(*chosen.predicted_s,
              0.001 + 10'000 / 600.0 + chosen.terms.tail_s + 1'024 * 5e-6 + 0.05, 0.01);
  EXPECT_EQ(choice.sentence, "spark-1 saves 67 s of 83 s; hand-off 119 ms");
  EXPECT_TRUE(choice.is_calibrated);
}

struct Situation {
  const char* name;
  void (*change)(Scene&);
  const char* chosen;
  const char* sentence;  // a part of it
};

// Slower than this machine alone, faster than it is beside answers.
void a_little_slower_peer(Scene& s) {
  s.situation.prefill[0].name = "near";
  learn(s.rates, "near", {.token_s = 1.0 / 100});
  learn_link(s.rates, "studio", "near", 1e9);
  s.rates.observe_prefill({"studio", "kimi"}, 1'000, 0, 1'000 / 80.0, now, Beside::answers);
}

const Situation situations[] = {
    {"a slower peer",
     [](Scene& s) {
       s.situation.prefill[0].name = "old";
       learn(s.rates, "old", {.token_s = 1.0 / 60});
       learn_link(s.rates, "studio", "old", 1e9);
     },
     "local on studio", "old would take 167 s"},
    {"a busy peer", [](Scene& s) { s.situation.prefill[0].excluded = "busy"; }, "local on studio",
     "spark-1: busy"},
    {"another layout",
     [](Scene& s) { s.situation.prefill[0].other_layout["studio"] = "k_type: f16 against q8_0"; },
     "local on studio", "other layout: k_type: f16 against q8_0"},
    {"an unmeasured peer", [](Scene& s) { s.situation.prefill[0].name = "spark-2"; },
     "local on studio", "spark-2: unknown rates: round trip from studio to spark-2"},
    {"another model", [](Scene& s) { s.situation.model = "qwen"; }, "local on studio",
     "nothing to compare with, unknown rates: prefill of qwen on studio"},
    {"a prompt that is there", [](Scene& s) { s.situation.decode[0].held_tokens = 10'000; },
     "continue on studio", "nothing is missing"},
    {"a prefix that is there", [](Scene& s) { s.situation.decode[0].stored_tokens = 9'900; },
     "continue on studio", "continues alone"},
    {"a prefix there, not at the peer",
     [](Scene& s) {
       s.situation.prompt_tokens = 58'401;
       s.situation.decode[0].held_tokens = 58'000;
     },
     "continue on studio", "spark-1 would take"},
    {"the same prefix at the peer too",
     [](Scene& s) {
       s.situation.prompt_tokens = 58'401;
       s.situation.decode[0].held_tokens = 58'000;
       s.situation.prefill[0].held_tokens = 58'000;
     },
     "remote on spark-1 for studio", "saves"},
    {"a long queue at the peer", [](Scene& s) { s.situation.prefill[0].queue_s = 100; },
     "local on studio", "spark-1 would take"},
    {"a queue here",
     [](Scene& s) {
       s.situation.prompt_tokens = 101;
       s.situation.decode[0].queue_s = 0;
     },
     "remote on spark-1 for studio", "saves"},
    {"a peer that is a little slower", a_little_slower_peer, "local on studio", "near would take"},
    {"the same beside an answer",
     [](Scene& s) {
       a_little_slower_peer(s);
       s.situation.decode[0].beside = Beside::answers;
     },
     "remote on near for studio", "near saves"},
    {"one token", [](Scene& s) { s.situation.prompt_tokens = 1; }, "local on studio",
     "nothing is missing"},
    {"a slow link",
     [](Scene& s) {
       s.situation.prefill[0].name = "far";
       learn(s.rates, "far", {.token_s = 1.0 / 600});
       learn_link(s.rates, "studio", "far", 1e6);
     },
     "local on studio", "far would take"},
    {"a pool",
     [](Scene& s) {
       s.situation.prefill = {
           {.name = "sparks", .sends_from = "spark-1", .is_pool = true, .streams_chunks = false}};
       learn(s.rates, "sparks", {.token_s = 1.0 / 400});
     },
     "gathered on sparks for studio", "sparks saves"},
    {"a pool that nobody has measured",
     [](Scene& s) { s.situation.prefill = {{.name = "sparks", .is_pool = true, .is_preferred = true}}; },
     "gathered on sparks for studio", "sparks, as configured: unknown rates"},
    {"the same and a short prompt",
     [](Scene& s) {
       s.situation.prefill = {{.name = "sparks", .is_pool = true, .is_preferred = true}};
       s.situation.prompt_tokens = 2 * 1'024;
     },
     "local on studio", "sparks: unknown rates"},
    {"the same, not to be asked",
     [](Scene& s) {
       s.situation.prefill = {{.name = "sparks", .is_pool = true, .is_preferred = true}};
       s.situation.policy = PrefillPolicy::alone;
     },
     "local on studio", "studio alone, as configured"},
    {"a pool, and nobody knows how long this machine takes",
     [](Scene& s) {
       s.situation.prefill = {{.name = "sparks", .sends_from = "spark-1", .is_pool = true, .is_preferred = true}};
       learn(s.rates, "sparks", {.token_s = 1.0 / 400});
       s.situation.prompt_tokens = 500'000;
     },
     "gathered on sparks for studio", "sparks, as configured"},
    {"a pool that is known to be slower",
     [](Scene& s) {
       s.situation.prefill = {{.name = "sparks", .sends_from = "spark-1", .is_pool = true, .is_preferred = true}};
       learn(s.rates, "sparks", {.token_s = 1.0 / 100});
     },
     "local on studio", "sparks would take"},
    {"a pool that is known to be faster, for less than two chunks",
     [](Scene& s) {
       s.situation.prefill = {{.name = "sparks", .sends_from = "spark-1", .is_pool = true, .is_preferred = true}};
       learn(s.rates, "sparks", {.token_s = 1.0 / 400});
       s.situation.prompt_tokens = 1'500;
     },
     "gathered on sparks for studio", "sparks saves"},
    {"the second of two peers",
     [](Scene& s) {
       s.situation.prefill.push_back({.name = "spark-2"});
       learn(s.rates, "spark-2", {.token_s = 1.0 / 900});
       learn_link(s.rates, "studio", "spark-2", 1e9);
     },
     "remote on spark-2 for studio", "spark-2 saves"},
    {"no machine", [](Scene& s) { s.situation.decode[0].excluded = "does not hold the model"; },
     nullptr, "no machine can answer; studio: does not hold the model"},
    {"a faster writer for a long answer",
     [](Scene& s) {
       s.situation.prefill.clear();
       s.situation.prompt_tokens = 100;
       s.situation.answer_tokens = 1'000;
       s.situation.decode.push_back({.machine = "m5"});
       learn(s.rates, "m5", {.token_s = 1.0 / 100, .decode_s = 0.02});
     },
     "local on m5", "m5 alone"},
};

TEST(PrefillChoice, FollowsTheSituation) {
  for (const Situation& s : situations) {
    Scene scene;
    s.change(scene);
    const Choice choice = scene.choose();
    const PrefillOption* chosen = choice.find_chosen();
    EXPECT_EQ(chosen ? chosen->name() : "", s.chosen ? s.chosen : "")
        << s.name << ": " << choice.sentence;
    EXPECT_NE(choice.sentence.find(s.sentence), std::string::npos)
        << s.name << ": " << choice.sentence;
  }
}

TEST(PrefillChoice, WaitsForThePromptsOfWhichLessIsLeft) {
  Scene scene;
  scene.situation.decode[0].prompts_left_s = {500, 20, 7};
  const PrefillTerms terms = scene.choose().options[0].terms;  // 83 s of its own
  EXPECT_NEAR(terms.queue_s, 27, 1e-9);
  EXPECT_NEAR(terms.total_s(), 27 + 10'001 / 120.0, 0.01);
}

TEST(PrefillChoice, APoolWaitsForThePromptsOfWhichLessIsLeftToo) {
  Scene scene;
  scene.situation.prefill[0].is_pool = true;
  const PrefillTerms free = scene.choose().options[1].terms;
  scene.situation.prefill[0].prompts_left_s = {500, 4, 3};
  const PrefillTerms busy = scene.choose().options[1].terms;
  EXPECT_NEAR(busy.queue_s, 7, 1e-9);
  EXPECT_NEAR(busy.total_s(), free.total_s() + 7, 1e-9);
}

TEST(PrefillChoice, MovesOrRecomputesWhatThePeerLacksWhicheverIsShorter) {
  Scene scene;
  scene.situation.prompt_tokens = 20'001;
  scene.situation.decode[0].held_tokens = 10'000;
  const auto remote = [&] { return scene.choose().options[1]; };
  const double moved_s = 9'216 * 70'272 / 1.15e9, unstored_s = 784 / 600.0;
  scene.situation.prefill[0].takes_chunks = true;
  EXPECT_NEAR(remote().terms.missing_prefix_s, 10'000 / 600.0, 0.01);  // nothing is stored that could be brought
  scene.situation.decode[0].stored_tokens = 9'216;
  scene.situation.prefill[0].takes_chunks = false;
  EXPECT_NEAR(remote().terms.missing_prefix_s, 10'000 / 600.0, 0.01);
  scene.situation.prefill[0].takes_chunks = true;
  EXPECT_NEAR(remote().terms.missing_prefix_s, moved_s + unstored_s, 0.01);
  EXPECT_TRUE(remote().moves_prefix);
  scene.situation.prefill[0].held_tokens = 9'216;
  EXPECT_NEAR(remote().terms.missing_prefix_s, unstored_s, 0.01);
  EXPECT_TRUE(remote().moves_prefix);  // should it have dropped them
  scene.situation.prefill[0].held_tokens = 0;
  scene.situation.kv_bytes_per_token *= 100;
  EXPECT_NEAR(remote().terms.missing_prefix_s, 10'000 / 600.0, 0.01);
  EXPECT_FALSE(remote().moves_prefix);
}

TEST(PrefillChoice, ALinkSeenOneWayIsTakenToBeAsFastTheOtherWay) {
  Scene scene;
  scene.situation.prefill[0] = {.name = "spark-2", .takes_chunks = true};
  learn(scene.rates, "spark-2", {.token_s = 1.0 / 600});
  scene.rates.observe_transfer({"spark-2", "studio"}, 100'000'000, 0.1, now);
  scene.rates.observe_round_trip({"studio", "spark-2"}, 0.001, now);
  scene.situation.decode[0].held_tokens = scene.situation.decode[0].stored_tokens = 5'120;
  const PrefillOption remote = scene.choose().options[1];
  EXPECT_TRUE(remote.moves_prefix);
  EXPECT_NEAR(remote.terms.missing_prefix_s, 5'120 * 70'272 / 1e9, 0.01);
}

// A cluster with unlike machines, from a seed; some of it unmeasured.
struct RandomScene {
  PrefillSituation situation;
  double link_bytes_per_s;
  std::vector<std::pair<std::string, Machine>> machines;
  std::vector<bool> measured;

  explicit RandomScene(std::uint64_t seed) {
    Random random(seed);
    const auto log_uniform = [&](double low, double high) {
      return low * std::pow(high / low, random.uniform());
    };
    situation.model = "kimi";
    situation.now = now;
    situation.prompt_tokens = static_cast<std::uint32_t>(1 + log_uniform(1, 60'000));
    situation.kv_bytes_per_token = log_uniform(1e4, 4e5);
    situation.error_share = random.uniform() * 0.5;
    link_bytes_per_s = log_uniform(1e6, 1e10);
    const auto held = [&] {
      return random.chance(0.5) ? 0
                                : static_cast<std::uint32_t>(random.below(situation.prompt_tokens));
    };
    situation.decode.push_back({.machine = "d",
                                .held_tokens = held(),
                                .queue_s = random.chance(0.5) ? 0 : random.uniform() * 10});
    add(random, "d");
    for (int i = 0; i < 3; ++i) {
      const std::string name = "p" + std::to_string(i);
      situation.prefill.push_back({.name = name,
                                   .takes_chunks = random.chance(0.5),
                                   .excluded = random.chance(0.2) ? "busy" : "",
                                   .held_tokens = held(),
                                   .queue_s = random.chance(0.5) ? 0 : random.uniform() * 10});
      add(random, name);
    }
  }
  void add(Random& random, const std::string& name) {
    const double token_s = 1e-4 * std::pow(200, random.uniform());
    machines.push_back({name,
                        {.token_s = token_s,
                         .depth_token_s = token_s * 1e-4 * random.uniform(),
                         .decode_s = 0.01 + 0.1 * random.uniform()}});
    measured.push_back(random.chance(0.85));
  }
  RateBook rates(double link_factor = 1) const {
    RateBook out;
    for (std::size_t i = 0; i < machines.size(); ++i) {
      if (measured[i]) learn(out, machines[i].first, machines[i].second);
      if (i > 0) learn_link(out, "d", machines[i].first, link_bytes_per_s * link_factor);
    }
    return out;
  }
};

constexpr std::uint64_t random_scenes = 2'000;

TEST(PrefillChoiceProperty, AFasterLinkNeverMakesTheRemoteWayLonger) {
  for (std::uint64_t seed = 1; seed <= random_scenes; ++seed) {
    const RandomScene scene(seed);
    const Choice slow = choose(scene.situation, scene.rates());
    const Choice fast = choose(scene.situation, scene.rates(4));
    for (std::size_t i = 0; i < slow.options.size(); ++i) {
      ASSERT_EQ(slow.options[i].predicted_s.has_value(), fast.options[i].predicted_s.has_value());
      const double slow_s = slow.options[i].predicted_s.value_or(0);
      ASSERT_LE(fast.options[i].predicted_s.value_or(0), slow_s + 1e-12) << seed;
    }
  }
}

TEST(PrefillChoiceProperty, ASlowerPeerIsNeverChosenWithoutAQueueHere) {
  for (std::uint64_t seed = 1; seed <= random_scenes; ++seed) {
    RandomScene scene(seed);
    scene.situation.decode[0].queue_s = 0;
    const Machine& own = scene.machines[0].second;
    for (std::size_t i = 1; i < scene.machines.size(); ++i) {
      Machine& peer = scene.machines[i].second;
      peer.token_s = std::max(peer.token_s, own.token_s);
      peer.depth_token_s = std::max(peer.depth_token_s, own.depth_token_s);
      // What it need not compute could still be faster to fetch.
      scene.situation.prefill[i - 1].held_tokens = std::min(
          scene.situation.prefill[i - 1].held_tokens, scene.situation.decode[0].held_tokens);
    }
    const Choice choice = choose(scene.situation, scene.rates());
    ASSERT_TRUE(choice.find_chosen()->is_alone()) << seed << ": " << choice.sentence;
  }
}

TEST(PrefillChoiceProperty,
     TheBestPredictedIsChosenWithinTheMarginAndNeverAnUnknownOrExcludedPeer) {
  std::uint64_t remote = 0;
  for (std::uint64_t seed = 1; seed <= random_scenes; ++seed) {
    const RandomScene scene(seed);
    const Choice choice = choose(scene.situation, scene.rates());
    const PrefillOption& chosen = *choice.find_chosen();
    remote += !chosen.is_alone();
    if (!chosen.predicted_s) {
      ASSERT_TRUE(chosen.is_alone()) << seed;
      ASSERT_FALSE(choice.is_calibrated);
      continue;
    }
    for (const PrefillOption& option : choice.options) {
      if (!option.predicted_s) continue;
      ASSERT_GE(*option.predicted_s + choice.margin_s, *chosen.predicted_s) << seed;
      ASSERT_GE(*option.predicted_s * 1.1 + 0.011, *chosen.predicted_s) << seed;
    }
    for (const PrefillOption& option : choice.options) {
      ASSERT_NE(option.predicted_s.has_value(), !option.excluded.empty()) << seed;
    }
  }
  EXPECT_GT(remote, random_scenes / 10);
}

}  // namespace
}  // namespace hearth::cluster
