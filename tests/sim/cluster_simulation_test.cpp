#include "tests/sim/cluster_simulation.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>

namespace hearth::sim {
namespace {

constexpr std::uint64_t seeds_default = 400;

std::uint64_t number_from(const char* variable, std::uint64_t otherwise) {
  const char* text = std::getenv(variable);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

// HEARTH_SIM_SEED: that one; HEARTH_SIM_SEEDS: so many.
std::pair<std::uint64_t, std::uint64_t> seeds() {
  const std::uint64_t one = number_from("HEARTH_SIM_SEED", 0);
  if (one != 0) return {one, one};
  return {1, number_from("HEARTH_SIM_SEEDS", seeds_default)};
}

std::string replay_command(std::uint64_t seed) {
  return "replay: HEARTH_SIM_SEED=" + std::to_string(seed) +
         " build/release/bin/sim_test --gtest_filter=ClusterSimulation.*";
}

struct Sums {
  std::uint64_t answered = 0, failed = 0, left = 0, completed = 0, fallbacks = 0, busy = 0,
                tickets = 0, chunks = 0, restarts = 0, remote = 0, alone = 0, decisions = 0,
                right = 0;
  std::string text() const {
    return fmt::format(
        "{} answered, {} failed, {} left; hand-offs: {} whole, {} in part, {} busy; "
        "refused: {} tickets, {} chunks; {} worker restarts",
        answered, failed, left, completed, fallbacks, busy, tickets, chunks, restarts);
  }
  void add(const SimulationReport& r) {
    answered += r.answered;
    failed += r.failed;
    left += r.left;
    completed += r.coordinator.completed_hand_offs;
    fallbacks += r.coordinator.fallbacks;
    busy += r.coordinator.busy;
    tickets += r.refused_tickets;
    chunks += r.refused_chunks;
    restarts += r.worker_restarts;
    remote += r.coordinator.remote;
    alone += r.coordinator.alone;
    decisions += r.coordinator.decisions;
    right += r.coordinator.within_10_percent;
  }
};

TEST(ClusterSimulation, WhateverFailsEveryRequestEndsRightAndNothingIsLeft) {
  const auto [first, last] = seeds();
  Sums sums;
  for (std::uint64_t seed = first; seed <= last; ++seed) {
    const SimulationReport report = ClusterSimulation(SimulationOptions::with_faults(seed)).run();
    ASSERT_EQ(report.violation, "") << replay_command(seed);
    sums.add(report);
  }
  std::puts(sums.text().c_str());
  if (last - first + 1 < seeds_default) return;
  // Faults did happen, and nearly every request got through them.
  EXPECT_GE(sums.answered, (sums.answered + sums.failed) * 95 / 100);
  EXPECT_GE(sums.completed, seeds_default / 4);
  EXPECT_GE(sums.fallbacks, seeds_default / 10);
  EXPECT_GE(sums.busy, seeds_default / 20);
  EXPECT_GE(sums.tickets, seeds_default / 4);
  EXPECT_GE(sums.chunks, seeds_default / 4);
  EXPECT_GE(sums.restarts, seeds_default / 10);
}

TEST(ClusterSimulation, WithoutTroubleEveryRequestIsAnswered) {
  const auto [first, last] = seeds();
  Sums sums;
  for (std::uint64_t seed = first; seed <= last; ++seed) {
    const SimulationReport report = ClusterSimulation(SimulationOptions::calm(seed)).run();
    ASSERT_EQ(report.violation, "") << replay_command(seed);
    ASSERT_EQ(report.failed, 0u) << report.last_error << '\n' << replay_command(seed);
    sums.add(report);
  }
  if (last - first + 1 < seeds_default) return;
  EXPECT_GE(sums.remote, seeds_default);
  EXPECT_GE(sums.alone, seeds_default);
  EXPECT_GE(sums.completed + sums.busy, sums.remote * 95 / 100);
}

// Each way is really taken, in a cluster without trouble; what was predicted decides.
TEST(ClusterSimulation, TheChoiceIsWithinTenPercentOfTheBestWayInNearlyEveryCluster) {
  int right = 0, remote_is_best = 0;
  constexpr std::uint64_t clusters = 400;
  for (std::uint64_t seed = 1; seed <= clusters; ++seed) {
    SimulationOptions options = SimulationOptions::calm(seed);
    options.requests = 1;
    options.all_usable = true;
    const auto first_token_s = [&](std::optional<std::string> way) {
      options.way = std::move(way);
      return ClusterSimulation(options).run().coordinator.first_token_s;
    };
    const double chosen_s = first_token_s({});
    double best_s = first_token_s("");
    for (std::uint32_t m = 1; m < options.machines; ++m) {
      const double peer_s = first_token_s("m" + std::to_string(m));
      remote_is_best += peer_s < best_s;
      best_s = std::min(best_s, peer_s);
    }
    right += chosen_s <= 1.1 * best_s;
  }
  EXPECT_GE(right, static_cast<int>(clusters * 95 / 100));
  EXPECT_GE(remote_is_best, static_cast<int>(clusters / 5));
}

TEST(ClusterSimulation, ACancelReachesThePrefillSideWithinARoundTrip) {
  std::uint64_t left = 0;
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    SimulationOptions options = SimulationOptions::calm(seed);
    options.faults.leaving_clients = 1;
    options.checks_cancel = true;
    const SimulationReport report = ClusterSimulation(options).run();
    ASSERT_EQ(report.violation, "") << seed;
    left += report.left;
  }
  EXPECT_GE(left, 100u);
}

// One life of a cluster, as long as days of use: what is not given back adds up.
TEST(ClusterSimulation, TenThousandRequestsLeaveNothing) {
  SimulationOptions options;
  options.seed = 1;
  options.machines = 5;
  options.requests = 10'000;
  options.all_usable = true;
  options.arrivals_within = std::chrono::seconds(4) * options.requests;
  options.events_max = 40'000'000;
  options.faults = {.lost = 0.01, .duplicated = 0.02, .replayed = 0.01, .damaged = 0.01, .body_cut = 0.01,
                    .cuts = 50, .slow_links = 20, .decode_agent_crashes = 20, .decode_worker_crashes = 30,
                    .coordinator_crashes = 20, .prefill_agent_crashes = 60, .prefill_worker_crashes = 60,
                    .evictions = 200, .sleeps = 20, .leaving_clients = 0.05};
  const SimulationReport report = ClusterSimulation(options).run();
  ASSERT_EQ(report.violation, "");
  EXPECT_EQ(report.answered + report.failed + report.left, options.requests);
  EXPECT_GE(report.answered, (report.answered + report.failed) * 95 / 100) << report.last_error;
  EXPECT_GE(report.coordinator.completed_hand_offs, 500u);
  EXPECT_GE(report.coordinator.fallbacks, 10u);
}

TEST(ClusterSimulation, IsTheSameForTheSameSeed) {
  for (const std::uint64_t seed : {3u, 17u, 99u}) {
    EXPECT_EQ(ClusterSimulation(SimulationOptions::with_faults(seed)).run(),
              ClusterSimulation(SimulationOptions::with_faults(seed)).run());
  }
}

struct BrokenRule {
  const char* name;
  Sabotage sabotage;
  const char* violation;  // a part of what the checks say
};

class BrokenRules : public testing::TestWithParam<BrokenRule> {};

// The checks can fail: a driver that breaks one rule is caught.
TEST_P(BrokenRules, AreCaught) {
  for (std::uint64_t seed = 1; seed <= seeds_default; ++seed) {
    SimulationOptions options = SimulationOptions::with_faults(seed);
    options.sabotage = GetParam().sabotage;
    const std::string violation = ClusterSimulation(options).run().violation;
    if (violation.empty()) continue;
    EXPECT_NE(violation.find(GetParam().violation), std::string::npos) << violation;
    return;
  }
  ADD_FAILURE() << "nobody noticed";
}

INSTANTIATE_TEST_SUITE_P(
    ClusterSimulation, BrokenRules,
    testing::Values(
        BrokenRule{"ImportTwice", Sabotage::import_twice, "imported with other KV"},
        BrokenRule{"ForgetLease", Sabotage::forget_lease, "sequence of the decoding worker"},
        BrokenRule{"ForgetBodyCut", Sabotage::forget_body_cut, "staging bytes are left"},
        BrokenRule{"ForgetPin", Sabotage::forget_pin, "still pins chunks"},
        BrokenRule{"RepeatToken", Sabotage::repeat_token, "not the right one"},
        BrokenRule{"NeverFreeDesk", Sabotage::never_free_desk, "never freed its desk"},
        BrokenRule{"TrustEverybody", Sabotage::trust_everybody, "imported with other KV"}),
    [](const auto& rule) { return std::string(rule.param.name); });

}  // namespace
}  // namespace hearth::sim
