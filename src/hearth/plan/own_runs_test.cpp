#include "hearth/plan/own_runs.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "hearth/plan/catalog/load.h"
#include "hearth/plan/catalog/own_entries.h"
#include "hearth/plan/plan.h"

namespace hearth::plan {
namespace {

TEST(FitFactors, TellsThePartsApartWhereTheRunsDo) {
  const std::vector<TimedParts> runs = {
      {1, 0.1, 3 * 1 + 7 * 0.1}, {1, 2, 3 * 1 + 7 * 2}, {4, 1, 3 * 4 + 7 * 1}};
  const OwnFactors found = fit_factors(runs);
  EXPECT_NEAR(found.base, 3, 1e-9);
  EXPECT_NEAR(found.context, 7, 1e-9);
  EXPECT_LT(found.log_sd, 0.06);
}

TEST(FitFactors, OneRunOrAnAbsurdFitGivesOneFactor) {
  const std::vector<TimedParts> one = {{1, 0.5, 6}};
  EXPECT_NEAR(fit_factors(one).base, 4, 1e-9);
  EXPECT_NEAR(fit_factors(one).context, 4, 1e-9);
  EXPECT_GT(fit_factors(one).log_sd, 0.1);
  // Shorter with a longer context: noise, not a negative price of attention.
  const std::vector<TimedParts> backwards = {{1, 0.1, 4}, {1, 1, 3}};
  EXPECT_GT(fit_factors(backwards).context, 0);
  EXPECT_DOUBLE_EQ(fit_factors(backwards).base, fit_factors(backwards).context);
}

constexpr std::string_view probed =
    "[[machine]]\nkey = \"desk\"\nbackend = \"cpu\"\nmemory_bytes = 64000000000\n"
    "memory_bandwidth_gb_s = 20\nsource = \"probe\"\nconfidence = \"own\"\n";

std::string run_text(std::string_view id, std::string_view phase, const ModelCard& card, int depth,
                     int tokens, double seconds) {
  return fmt::format(
      "[[run]]\nid = \"{}\"\nhardware = \"desk\"\narchitecture = \"{}\"\nphase = \"{}\"\n"
      "weights_bytes = {}\ndepth = {}\ntokens = {}\nseconds = {}\nsource = \"probe\"\n"
      "confidence = \"own\"\n",
      id, card.architecture, phase, total_bytes(card), depth, tokens, seconds);
}

Result<Catalog> with(const std::string& text) {
  const CatalogFile file{"probe.toml", text};
  return load_shipped(std::span(&file, 1));
}

// A CPU of which nothing is published becomes predictable by its own runs, and only for that model.
TEST(OwnRuns, MakeAnUnknownMachinePredictable) {
  const Catalog shipped = *load_shipped();
  const ModelCard card = *card_of(shipped, "llama-3.1-8b", "4bit");
  const Result<Catalog> catalog =
      with(std::string(probed) + run_text("p1", "prefill", card, 0, 512, 20) +
           run_text("p2", "prefill", card, 4096, 512, 30) +
           run_text("d1", "decode", card, 0, 64, 16) + run_text("d2", "decode", card, 4096, 64, 20));
  ASSERT_TRUE(catalog) << catalog.error().message;
  const Result<ClusterSpec> spec =
      parse_cluster(*catalog, "[[member]]\nname = \"a\"\nmachine = \"desk\"\n", "one.toml");
  ASSERT_TRUE(spec) << spec.error().message;
  const Calibrations calibrations = calibrations_of(*catalog);
  const auto best = [&](const ModelCard& model, std::string_view work) {
    return search(*spec, model, *find_workload(work), calibrations).plans.front();
  };
  const Plan known = best(card, "prompt=512,output=64,context=8192");
  ASSERT_TRUE(known.ttft_s);
  EXPECT_NEAR(known.ttft_s->p50, 20.25, 0.3);
  EXPECT_NEAR(1 / known.decode_tok_s->p50, 0.25, 0.01);
  EXPECT_EQ(known.calibrated_from, (std::vector<std::string>{"p1", "p2", "d1", "d2"}));
  const Plan longer = best(card, "prompt=4608,new=512,output=64,context=8192");
  EXPECT_NEAR(longer.ttft_s->p50, 30.3, 0.3);
  EXPECT_FALSE(best(*card_of(shipped, "llama-3.3-70b", "Q4_K_M"),
                    "prompt=512,output=64,context=2048").ttft_s);
}

// 64 steps after 0, 2,048 and 4,096 tokens, then what a plan says of a step after other prompts.
struct Curve {
  double seconds[3];
  std::vector<std::pair<int, double>> prompt_and_step_s;
};

TEST(OwnRuns, ThreeDepthsAreACurveThroughAllOfThem) {
  const ModelCard card = *card_of(*load_shipped(), "llama-3.1-8b", "4bit");
  const Curve curves[] = {
      {{16, 17, 20}, {{1, 16.0 / 64}, {2048, 17.0 / 64}, {4096, 20.0 / 64}, {6144, 23.0 / 64}}},
      // The KV outgrows a cache: a line through the last two would be negative at 0.
      {{16, 20, 80}, {{1, 16.0 / 64}, {2048, 20.0 / 64}, {4096, 80.0 / 64}}},
      // Noise: faster with a longer context.
      {{16, 20, 19}, {{1, 16.0 / 64}, {2048, 20.0 / 64}, {3072, 19.5 / 64}, {4096, 19.0 / 64}}}};
  for (const Curve& curve : curves) {
    const Result<Catalog> curved =
        with(std::string(probed) + run_text("p1", "prefill", card, 0, 512, 20) +
             run_text("d1", "decode", card, 0, 64, curve.seconds[0]) +
             run_text("d2", "decode", card, 2048, 64, curve.seconds[1]) +
             run_text("d3", "decode", card, 4096, 64, curve.seconds[2]));
    ASSERT_TRUE(curved) << curved.error().message;
    const ClusterSpec one =
        *parse_cluster(*curved, "[[member]]\nname = \"a\"\nmachine = \"desk\"\n", "one.toml");
    const auto step_s = [&](int prompt) {
      const auto work = find_workload(fmt::format("prompt={},output=64,context=8192", prompt));
      return 1 / search(one, card, *work, calibrations_of(*curved)).plans.at(0).decode_tok_s->p50;
    };
    for (const auto& [prompt, expected_s] : curve.prompt_and_step_s) {
      EXPECT_NEAR(step_s(prompt), expected_s, 0.002) << prompt << " after " << curve.seconds[2];
    }
    const auto [low, high] = std::minmax(curve.seconds[1], curve.seconds[2]);
    EXPECT_GT(step_s(3072), low / 64);
    EXPECT_LT(step_s(3072), high / 64);
  }
}

// A time over RPC holds a whole pass for all layers; a machine that lends some of them has its share of it already.
// The same machine, in a cluster that must spread the model over two of them. The step, and the share of layers lent.
std::pair<double, double> pooled_step(const ModelCard& card, bool lent) {
  std::string text(probed);
  for (const std::string_view machine : {"desk", "lender"}) {
    std::string part = machine == "desk" ? "" : std::string(probed);
    part += run_text(fmt::format("{}-p", machine), "prefill", card, 0, 512, 20);
    part += run_text(fmt::format("{}-d", machine), "decode", card, 0, 64, 16);
    if (machine == "lender" && lent) part += "lent = true\n";
    for (auto at = part.find("\"desk\""); at != std::string::npos; at = part.find("\"desk\"", at + 1)) {
      part.replace(at + 1, 4, machine);
    }
    text += part;
  }
  const Catalog catalog = with(text).value();
  const auto cluster = parse_cluster(catalog,
                                     "[[member]]\nname = \"a\"\nmachine = \"desk\"\nusable_gb = 4.5\n"
                                     "[[member]]\nname = \"b\"\nmachine = \"lender\"\nusable_gb = 4.5\n"
                                     "[[connection]]\nends = [\"a\", \"b\"]\ngb_s = 10\nlatency_us = 1\n"
                                     "pool_pass_ms = 100\n",
                                     "two.toml")
                           .value();
  const auto plans =
      search(cluster, card, *find_workload("prompt=512,output=64,context=2048"), calibrations_of(catalog)).plans;
  const auto pool = std::ranges::find_if(plans, [](const Plan& plan) { return plan.placements.size() == 2; });
  if (pool == plans.end()) {
    ADD_FAILURE() << "no plan of both machines";
    return {};
  }
  return {1 / pool->decode_tok_s->p50,
          static_cast<double>(pool->placements[1].layers) / static_cast<double>(card.layers.size())};
}

// A time over RPC holds a whole pass for all layers; the layers lent bring their share of it with them.
TEST(OwnRuns, APassThatTheLenderWasMeasuredWithCountsOnce) {
  const ModelCard card = *card_of(*load_shipped(), "llama-3.1-8b", "4bit");
  const double told_apart_s = pooled_step(card, false).first;
  const auto [held_s, share] = pooled_step(card, true);
  EXPECT_GT(share, 0);
  EXPECT_NEAR(told_apart_s - held_s, 0.1 * share, 1e-3);
}

TEST(OwnRuns, WhatAProbeWritesIsReadBack) {
  Machine machine{.key = "desk", .chip = "desk", .name = "a \"desk\"", .backend = "cpu"};
  machine.memory_bytes = 64'000'000'000;
  machine.planning_bytes = 60'000'000'000;
  machine.planning_reason = "free";
  machine.memory_bandwidth_gb_s = 17.25;
  machine.origin = {"hearth node probe", Confidence::own};
  machine.prefill_priors.push_back({"dense", 0.05, 0.0625, machine.origin});
  OwnRun run{.id = "r", .hardware = "desk", .architecture = "file:x:\\y\"", .phase = "prefill"};
  run.weights_bytes = 70'000'000;
  run.depth = 1536;
  run.tokens = 512;
  run.seconds = 1.0 / 3;
  run.lent = true;
  run.spread = 0.02;
  run.origin = machine.origin;
  const Result<Catalog> back = with(own_entries_toml(machine, std::span(&run, 1)));
  ASSERT_TRUE(back) << back.error().message;
  const Machine& read = *back->machine("desk");
  EXPECT_EQ(read.name, machine.name);
  EXPECT_EQ(read.memory_bandwidth_gb_s, machine.memory_bandwidth_gb_s);
  EXPECT_EQ(read.planning_bytes, machine.planning_bytes);
  EXPECT_EQ(read.prefill_priors.front().high_tflops, 0.0625);
  EXPECT_EQ(back->runs.front().architecture, run.architecture);
  EXPECT_EQ(back->runs.front().seconds, run.seconds);
  EXPECT_TRUE(back->runs.front().lent);
}

Link studio_to_spark() {
  return {.key = "studio-spark", .name = "studio – spark", .transport = "TCP", .between = {"studio", "spark"},
          .effective_gb_s = 0.75, .effective_low_gb_s = 0.75, .effective_high_gb_s = 1.5, .latency_us = 125,
          .probed = ProbedLink{.there_gb_s = 1.5, .there_spread = 0.25, .back_gb_s = 0.75, .back_spread = 0.5,
                               .round_trip_ms = 0.25, .round_trip_spread = 2, .date = "2026-12-01T10:00:00Z"},
          .origin = {"hearth node probe", Confidence::own}};
}

std::string with_link(const Link& link) {
  return own_entries_toml({.key = "desk", .chip = "desk", .name = "desk", .backend = "cpu",
                           .origin = {"hearth node probe", Confidence::own}},
                          {}, std::span(&link, 1));
}

TEST(ProbedLinks, WhatAProbeWritesIsReadBack) {
  const Result<Catalog> back = with(with_link(studio_to_spark()));
  ASSERT_TRUE(back) << back.error().message;
  const Link* read = back->probed_link("spark", "studio");  // in either order
  ASSERT_NE(read, nullptr);
  EXPECT_EQ(read, back->link("studio-spark"));
  EXPECT_EQ(read->between, (std::vector<std::string>{"studio", "spark"}));
  ASSERT_TRUE(read->probed);
  EXPECT_EQ(read->probed->there_gb_s, 1.5);
  EXPECT_EQ(read->probed->there_spread, 0.25);
  EXPECT_EQ(read->probed->back_gb_s, 0.75);
  EXPECT_EQ(read->probed->back_spread, 0.5);
  EXPECT_EQ(read->probed->round_trip_ms, 0.25);
  EXPECT_EQ(read->probed->round_trip_spread, 2);
  EXPECT_EQ(read->probed->date, "2026-12-01T10:00:00Z");
  EXPECT_EQ(back->probed_link("studio", "laptop"), nullptr);
  std::string half = with_link(studio_to_spark());
  half.erase(half.find("back_gb_s"), std::string_view("back_gb_s = 0.75\n").size());
  EXPECT_FALSE(with(half));
}

TEST(ProbedLinks, AConnectionThatSaysNothingTakesTheOneBetweenItsEnds) {
  const Catalog catalog = *with(with_link(studio_to_spark()));
  const std::string members =
      "[[member]]\nname = \"spark\"\nmachine = \"dgx-spark\"\n[[member]]\nname = \"studio\"\nmachine = \"dgx-spark\"\n";
  const std::string joined = members + "[[connection]]\nends = [\"spark\", \"studio\"]\n";
  const Result<ClusterSpec> spec = parse_cluster(catalog, joined, "desk.toml");
  ASSERT_TRUE(spec) << spec.error().message;
  EXPECT_EQ(spec->wires[0].key, "studio-spark");
  EXPECT_EQ(spec->wires[0].gb_s, 0.75);
  EXPECT_DOUBLE_EQ(spec->wires[0].latency_s, 125e-6);
  EXPECT_FALSE(spec->wires[0].assumed_gb_s);
  EXPECT_EQ(parse_cluster(catalog, joined + "gb_s = 0.5\n", "desk.toml")->wires[0].gb_s, 0.5);
  const Result<ClusterSpec> unknown = parse_cluster(*load_shipped(), joined, "desk.toml");
  ASSERT_FALSE(unknown);
  EXPECT_NE(unknown.error().message.find("none between 'spark' and 'studio' was measured"), std::string::npos)
      << unknown.error().message;
}

TEST(OwnRuns, AreCheckedWhenRead) {
  const ModelCard card = *card_of(*load_shipped(), "llama-3.1-8b", "4bit");
  const std::string good = run_text("r", "prefill", card, 0, 512, 20);
  EXPECT_FALSE(with(good));  // no such machine
  for (const auto& [what, instead] : std::vector<std::pair<std::string, std::string>>{
           {"phase = \"prefill\"", "phase = \"tea\""},
           {"seconds = 20", "seconds = 0"},
           {"tokens = 512", "tokens = 0"},
           {"confidence = \"own\"", "colour = \"red\""}}) {
    std::string bad = good;
    bad.replace(bad.find(what), what.size(), instead);
    EXPECT_FALSE(with(std::string(probed) + bad)) << instead;
  }
  EXPECT_TRUE(with(std::string(probed) + good));
}

}  // namespace
}  // namespace hearth::plan
