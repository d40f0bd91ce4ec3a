#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <random>

#include "hearth/plan/catalog/load.h"
#include "hearth/plan/plan.h"
#include "hearth/plan/search/generate.h"
#include "hearth/plan/search/pools.h"

namespace hearth::plan {
namespace {

const Catalog& shipped() {
  static const Catalog catalog = *load_shipped();
  return catalog;
}
const Calibrations& calibrations() {
  static const Calibrations all = calibrations_of(shipped());
  return all;
}
ClusterSpec mission() { return *resolve_cluster(shipped(), *shipped().cluster("reference")); }
ModelCard kimi(std::string_view variant) { return *card_of(shipped(), "kimi-k2.6", variant); }
Options no_curve() {
  Options options;
  options.with_curve = false;
  return options;
}
SearchResult plan_for(const ClusterSpec& spec, const ModelCard& card, std::string_view workload) {
  return search(spec, card, *find_workload(workload), calibrations(), no_curve());
}

// A cluster of known machines with random memory and wires; some of it too small on purpose.
ClusterSpec random_cluster(std::mt19937_64& random, std::size_t nodes) {
  const ClusterSpec known = mission();
  ClusterSpec spec{.name = "random", .nodes = {}, .wires = {}};
  for (std::size_t i = 0; i < nodes; ++i) {
    Node node = known.nodes[random() % known.nodes.size()];
    node.name = "m" + std::to_string(i);
    node.usable_bytes = 20'000'000'000u + random() % 500'000'000'000u;
    if (random() % 4 == 0) node.storage_read_gb_s.reset();
    spec.nodes.push_back(std::move(node));
    for (std::size_t k = 0; k < i; ++k) {
      if (k + 1 != i && random() % 3 == 0) continue;  // always a chain, otherwise at random
      spec.wires.push_back({.a = k,
                            .b = i,
                            .key = "w",
                            .transport = "TCP",
                            .gb_s = 0.1 + static_cast<double>(random() % 100) / 10,
                            .latency_s = 1e-4});
    }
  }
  return spec;
}

using PlanKey = std::pair<Family, std::uint32_t>;
std::map<PlanKey, double> turns(const SearchResult& result) {
  std::map<PlanKey, double> out;
  for (const Plan& plan : result.plans) {
    if (plan.turn_s) out[{plan.family, plan.machines()}] = plan.turn_s->p50;
  }
  return out;
}

TEST(Search, NeverExceedsUsableMemory) {
  std::mt19937_64 random(1);
  for (int round = 0; round < 60; ++round) {
    const ClusterSpec spec = random_cluster(random, 1 + random() % 5);
    for (const char* workload : {"agentic", "batch"}) {
      for (const Plan& plan : plan_for(spec, kimi(round % 2 ? "Q2" : "Q8"), workload).plans) {
        for (const NodeMemory& memory : plan.memory) {
          EXPECT_LE(memory.use.total_bytes(), static_cast<double>(memory.usable_bytes))
              << family_name(plan.family) << " round " << round;
        }
        EXPECT_GE(plan.max_context, find_workload(workload)->context_tokens);
        EXPECT_GE(plan.max_streams, find_workload(workload)->streams);
      }
    }
  }
}

TEST(Search, PlacesEveryLayerExactlyOnce) {
  std::mt19937_64 random(2);
  for (int round = 0; round < 60; ++round) {
    const ClusterSpec spec = random_cluster(random, 2 + random() % 4);
    for (const Plan& plan : plan_for(spec, kimi("Q2"), "writing").plans) {
      for (const std::string_view role : {"both", "prefill", "decode"}) {
        std::vector<int> covered(61, 0);
        bool any = false;
        for (const Placement& p : plan.placements) {
          if (p.role != role) continue;
          any = true;
          for (std::uint32_t i = 0; i < p.layers; ++i) ++covered.at(p.first_layer + i);
        }
        if (!any) continue;
        EXPECT_TRUE(std::ranges::all_of(covered, [](int c) { return c == 1; }))
            << family_name(plan.family);
        EXPECT_EQ(
            std::ranges::count_if(plan.placements,
                                  [&](const Placement& p) { return p.role == role && p.leads; }),
            1);
      }
    }
  }
}

// Bytes of a plan against a plain sum over the card.
TEST(Search, WeightsOfAPlanAddUpToTheModel) {
  const ModelCard card = kimi("Q4");
  for (const Plan& plan : plan_for(mission(), card, "reflective").plans) {
    if (plan.family != Family::pooled) continue;
    double weights = 0;
    for (const NodeMemory& memory : plan.memory) weights += memory.use.weights_bytes;
    double sum = static_cast<double>(card.embedding_bytes + card.head_bytes);
    for (const LayerWeights& layer : card.layers) sum += static_cast<double>(layer.bytes());
    EXPECT_NEAR(weights, sum, 1.0);
  }
}

TEST(Search, MoreMemoryNeverMakesAFeasiblePlanInfeasible) {
  std::mt19937_64 random(3);
  for (int round = 0; round < 40; ++round) {
    ClusterSpec spec = random_cluster(random, 2 + random() % 3);
    const ModelCard card = kimi(round % 2 ? "Q2" : "Q4");
    const bool before = !plan_for(spec, card, "writing").plans.empty();
    spec.nodes[random() % spec.nodes.size()].usable_bytes += 1 + random() % 200'000'000'000u;
    const bool after = !plan_for(spec, card, "writing").plans.empty();
    EXPECT_TRUE(!before || after) << "round " << round;
  }
}

// Family by family, also those that another plan hides.
TEST(Search, MoreMemoryNeverTakesAFamilyAway) {
  std::mt19937_64 random(6);
  for (int round = 0; round < 20; ++round) {
    ClusterSpec spec = random_cluster(random, 2 + random() % 3);
    const ModelCard card = kimi(round % 2 ? "Q2" : "Q4");
    const auto possible = [&](Family family) {
      Options options = no_curve();
      options.only = family;
      return !search(spec, card, *find_workload("writing"), calibrations(), options).plans.empty();
    };
    std::map<Family, bool> before;
    for (const Family family : all_families()) before[family] = possible(family);
    spec.nodes[random() % spec.nodes.size()].usable_bytes += 1 + random() % 200'000'000'000u;
    for (const Family family : all_families()) {
      // Who can hold the model streams nothing: that family ends where memory suffices.
      if (family == Family::streamed) continue;
      EXPECT_TRUE(!before[family] || possible(family)) << family_name(family) << " " << round;
    }
  }
}

// What fits with small KV only is refused with what the asked type needs.
TEST(Search, OneKvTypeWhereThatIsAsked) {
  ClusterSpec spec = mission();
  const Workload agentic = *find_workload("agentic");
  for (const KvType kv : {KvType::f16, KvType::q8_0}) {
    Options options = no_curve();
    options.kv_type = kv;
    const auto found = search(spec, kimi("Q2"), agentic, calibrations(), options);
    ASSERT_FALSE(found.plans.empty());
    for (const Plan& plan : found.plans) EXPECT_EQ(plan.kv, kv);
  }
  spec.nodes.erase(spec.nodes.begin() + 1, spec.nodes.end());
  spec.wires.clear();
  Options options = no_curve();
  options.only = Family::alone;
  const auto needed = [&](KvType kv) {
    options.kv_type = kv;
    spec.nodes.front().usable_bytes = 1'000'000'000;
    const auto refused = search(spec, kimi("Q2"), agentic, calibrations(), options).rejected;
    EXPECT_EQ(refused.size(), 1u);
    return refused.front().needed;
  };
  EXPECT_GT(needed(KvType::f16), needed(KvType::q8_0));
}

TEST(Search, WeightsStreamOverAWireWhereNoStorageIsKnown) {
  ClusterSpec spec = mission();
  for (Node& node : spec.nodes) node.storage_read_gb_s.reset();
  Options options = no_curve();
  options.only = Family::streamed;
  const auto streamed = [&] {
    return search(spec, kimi("Q2"), *find_workload("writing"), calibrations(), options).plans;
  };
  const auto slow = streamed();
  ASSERT_FALSE(slow.empty());
  EXPECT_NE(std::ranges::find(slow.front().assumptions,
                              "some weights come over the wire from the machine that decodes"),
            slow.front().assumptions.end());
  for (Wire& wire : spec.wires) wire.gb_s *= 4;
  EXPECT_LT(streamed().front().ttft_s->p50, slow.front().ttft_s->p50);
}

ClusterSpec with_faster_wires(ClusterSpec spec, std::mt19937_64& random) {
  for (Wire& wire : spec.wires) {
    wire.gb_s *= 1 + static_cast<double>(random() % 5);
    wire.latency_s /= 1 + static_cast<double>(random() % 3);
  }
  return spec;
}

TEST(Search, AFasterLinkNeverMakesATurnLonger) {
  std::mt19937_64 random(4);
  for (int round = 0; round < 40; ++round) {
    const ClusterSpec spec = random_cluster(random, 2 + random() % 3);
    const SearchResult before = plan_for(spec, kimi("Q2"), "agentic");
    const SearchResult after = plan_for(with_faster_wires(spec, random), kimi("Q2"), "agentic");
    if (before.plans.empty() || !before.plans.front().turn_s) continue;
    ASSERT_FALSE(after.plans.empty());
    EXPECT_LE(after.plans.front().turn_s->p50, before.plans.front().turn_s->p50 * (1 + 1e-9));
    const auto slow = turns(before);
    for (const auto& [key, seconds] : turns(after)) {
      const auto old = slow.find(key);
      if (old == slow.end()) continue;
      EXPECT_LE(seconds, old->second * (1 + 1e-9)) << family_name(key.first);
    }
  }
}

// Each layout by itself, under both: a search may trade one rate for the other.
TEST(Search, AFasterLinkNeverLowersARate) {
  const ModelCard card = kimi("Q2");
  std::size_t layouts = 0, faster_prefills = 0, faster_decodes = 0;
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    std::mt19937_64 random(seed);
    const Workload workload = *find_workload(seed % 2 ? "agentic" : "batch");
    const double depth = static_cast<double>(workload.cached_tokens());
    const double new_tokens = static_cast<double>(workload.new_tokens());
    const ClusterSpec slow_spec = random_cluster(random, 2 + random() % 3);
    const ClusterSpec fast_spec = with_faster_wires(slow_spec, random);
    const Scene slow(slow_spec, card, workload, calibrations(), "llama.cpp");
    const Scene fast(fast_spec, card, workload, calibrations(), "llama.cpp");
    for (const Candidate& candidate : generate(slow, {}, no_curve()).candidates) {
      const auto before = time_of(slow, slow, candidate.layout, depth, new_tokens);
      const auto after = time_of(fast, fast, candidate.layout, depth, new_tokens);
      ASSERT_EQ(before.has_value(), after.has_value());
      if (!before) continue;
      ++layouts;
      const double prefill_gain = before->prefill.seconds() / after->prefill.seconds();
      const double decode_gain = before->step.seconds() / after->step.seconds();
      EXPECT_GE(prefill_gain, 1 - 1e-9) << family_name(candidate.layout.family) << " seed " << seed;
      EXPECT_GE(decode_gain, 1 - 1e-9) << family_name(candidate.layout.family) << " seed " << seed;
      faster_prefills += prefill_gain > 1 + 1e-9;
      faster_decodes += decode_gain > 1 + 1e-9;
    }
  }
  EXPECT_GT(layouts, 100u);
  EXPECT_GT(faster_prefills, 0u);
  EXPECT_GT(faster_decodes, 0u);
}

TEST(Search, EveryFamilyIsAnsweredFor) {
  for (const char* variant : {"Q2", "Q4", "Q8"}) {
    for (const Workload& workload : standard_workloads()) {
      const SearchResult result =
          search(mission(), kimi(variant), workload, calibrations(), no_curve());
      for (const Family family : all_families()) {
        const bool planned =
            std::ranges::any_of(result.plans, [&](const Plan& p) { return p.family == family; });
        const bool rejected = std::ranges::any_of(
            result.rejected, [&](const Rejected& r) { return r.family == family; });
        const bool dominated = std::ranges::any_of(
            result.dominated, [&](const Dominated& d) { return d.family == family; });
        EXPECT_TRUE(planned || rejected || dominated)
            << variant << " " << workload.name << " " << family_name(family);
        EXPECT_FALSE(planned && rejected) << family_name(family);
      }
      for (const Rejected& rejected : result.rejected) EXPECT_FALSE(rejected.reason.empty());
    }
  }
}

// The finding everything starts from: two Sparks cannot hold K2.6 for prefill at any size.
TEST(Search, RejectsResidentPrefillOnTheTwoSparks) {
  for (const char* variant : {"Q2", "Q4", "Q8"}) {
    const SearchResult result = plan_for(mission(), kimi(variant), "agentic");
    const auto found = std::ranges::find_if(result.rejected, [](const Rejected& r) {
      return r.family == Family::split_pooled &&
             r.reason.find("spark-1 + spark-2;") != std::string::npos;
    });
    ASSERT_NE(found, result.rejected.end()) << variant;
    EXPECT_NEAR(found->available, 224, 0.5);
    EXPECT_GT(found->needed, 339);
    EXPECT_EQ(found->unit, "GB");
    EXPECT_FALSE(result.plans.empty()) << "alternatives must be offered";
  }
}

TEST(Search, SmallModelsFitEverywhereAndSplitWorks) {
  const ModelCard card = *card_of(shipped(), "gpt-oss-120b", "MXFP4 (ggml-org)");
  const SearchResult result = plan_for(mission(), card, "writing");
  ASSERT_FALSE(result.plans.empty());
  EXPECT_TRUE(result.plans.front().turn_s);
  for (const Rejected& rejected : result.rejected) EXPECT_NE(rejected.family, Family::split);
  EXPECT_GT(result.plans.front().decode_tok_s->p50, 40);
  EXPECT_LT(result.plans.front().decode_tok_s->p50, 150);
}

TEST(Search, ModelsLargerThanEverythingAreRefusedWithTheNumber) {
  ClusterSpec spec = mission();
  spec.nodes.resize(1);
  spec.wires.clear();
  spec.nodes[0].usable_bytes = 30'000'000'000;
  const SearchResult result = plan_for(spec, kimi("Q2"), "writing");
  EXPECT_TRUE(result.plans.empty());
  ASSERT_FALSE(result.rejected.empty());
  for (const Rejected& rejected : result.rejected) {
    EXPECT_GT(rejected.needed, rejected.available) << family_name(rejected.family);
  }
}

TEST(Search, UnknownRatesStayUnknown) {
  ClusterSpec spec = mission();
  for (Node& node : spec.nodes) {
    node.chip = "abacus-" + node.name;
    node.backend = "abacus";
    node.prior_low_tflops.reset();
    node.prior_high_tflops.reset();
  }
  const SearchResult result = plan_for(spec, kimi("Q2"), "writing");
  ASSERT_FALSE(result.plans.empty());
  for (const Plan& plan : result.plans) {
    EXPECT_FALSE(plan.ttft_s);
    EXPECT_FALSE(plan.prefill_tok_s);
    EXPECT_FALSE(plan.memory.empty());  // what fits is known all the same
  }
  spec.nodes[0].probed_prefill_tflops = 15;
  const SearchResult probed = plan_for(spec, kimi("Q2"), "writing");
  ASSERT_TRUE(probed.plans.front().ttft_s);
  EXPECT_EQ(probed.plans.front().calibrated_from.front(), "probe of studio");
}

TEST(Search, EveryPredictionHasAnIntervalAndASource) {
  for (const Plan& plan : plan_for(mission(), kimi("Q2"), "agentic").plans) {
    for (const auto& interval : {plan.ttft_s, plan.prefill_tok_s, plan.decode_tok_s, plan.turn_s}) {
      ASSERT_TRUE(interval);
      EXPECT_LT(interval->low, interval->p50);
      EXPECT_GT(interval->high, interval->p50);
    }
    EXPECT_FALSE(plan.calibrated_from.empty());
    EXPECT_FALSE(plan.bottleneck.prefill.empty());
  }
}

// Work, not time: what may be looked at for four and for sixteen machines.
TEST(Search, WorkIsBounded) {
  const SearchResult four = plan_for(mission(), kimi("Q2"), "agentic");
  EXPECT_LE(four.stats.pools_filled, 2000u);
  EXPECT_LE(four.stats.plans_timed, 1000u);
  std::mt19937_64 random(5);
  const ClusterSpec spec = random_cluster(random, 16);
  const SearchResult sixteen = plan_for(spec, kimi("Q2"), "agentic");
  EXPECT_LE(sixteen.stats.pools_filled, 30000u);
  EXPECT_LE(sixteen.stats.plans_timed, 20000u);
  EXPECT_FALSE(sixteen.plans.empty());
}

TEST(Search, MustUseGivesEachNamedMachineWork) {
  Options options = no_curve();
  options.must_use = 0b1100;
  options.unified_only = true;
  const SearchResult result =
      search(mission(), kimi("Q2"), *find_workload("reflective"), calibrations(), options);
  ASSERT_FALSE(result.plans.empty());
  for (const Plan& plan : result.plans) {
    EXPECT_EQ(plan.machines() & 0b1100u, 0b1100u);
    EXPECT_EQ(plan.family, Family::pooled);
    for (const Placement& placement : plan.placements) EXPECT_GE(placement.layers, 1u);
  }
}

TEST(Fill, TakesTheCheapestMachineFirst) {
  const ClusterSpec spec = mission();
  const ModelCard card = kimi("Q4");
  const Workload workload = *find_workload("reflective");
  const Scene scene(spec, card, workload, calibrations(), "llama.cpp");
  const FillOptions options{.shape = {.context_tokens = 65536, .streams = 1, .ubatch = 512},
                            .for_prefill = false,
                            .for_decode = true,
                            .taken_bytes = {}};
  const auto result = fill(scene, {.leader = 0, .helpers = 0b1110}, options);
  const auto* pool = std::get_if<Pool>(&result);
  ASSERT_TRUE(pool);
  for (std::size_t i = 0; i < pool->size(); ++i) {
    for (std::size_t k = 0; k < pool->size(); ++k) {
      if ((*pool)[i].first >= (*pool)[k].first) continue;
      EXPECT_LE(scene.layer_cost_s((*pool)[i].node, false, true),
                scene.layer_cost_s((*pool)[k].node, false, true));
    }
  }
}

}  // namespace
}  // namespace hearth::plan
