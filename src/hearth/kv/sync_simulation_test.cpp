#include "hearth/kv/sync_simulation.h"

#include <cstdlib>

namespace hearth::kv {
namespace {

constexpr std::uint64_t seed_count = 3'000;

std::string replay_command(std::uint64_t seed) {
  return "replay: HEARTH_KV_SEED=" + std::to_string(seed) +
         " kv_test --gtest_filter=SyncSimulation.*";
}

// All seeds, or the one to be replayed.
std::pair<std::uint64_t, std::uint64_t> seeds() {
  const char* one = std::getenv("HEARTH_KV_SEED");
  if (one == nullptr) return {1, seed_count};
  const std::uint64_t seed = std::strtoull(one, nullptr, 10);
  return {seed, seed};
}

TEST(SyncSimulation, EveryTransferEndsWithEachChunkOnceInOrderAndUnchanged) {
  const auto [first, last] = seeds();
  std::uint64_t completed = 0, resent = 0, duplicates = 0, damaged = 0, busy = 0;
  for (std::uint64_t seed = first; seed <= last; ++seed) {
    const SimulationReport report = Simulation(SimulationOptions::with_faults(seed)).run();
    ASSERT_EQ(report.violation, "") << replay_command(seed);
    ASSERT_TRUE(report.is_complete || !report.sender_error.empty()) << replay_command(seed);
    completed += report.is_complete;
    resent += report.resent;
    duplicates += report.duplicates_refused;
    damaged += report.damaged_refused;
    busy += report.busy_refused;
  }
  if (first == last) return;
  // Faults did happen, and most transfers got through them.
  EXPECT_GE(completed, seed_count * 98 / 100);
  EXPECT_GE(resent, seed_count / 4);
  EXPECT_GE(duplicates, seed_count / 10);
  EXPECT_GE(damaged, seed_count / 10);
  EXPECT_GE(busy, seed_count / 10);
}

TEST(SyncSimulation, AnHonestNetworkCarriesEachMissingChunkOnce) {
  const auto [first, last] = seeds();
  for (std::uint64_t seed = first; seed <= std::min(last, first + 300); ++seed) {
    SimulationOptions options;
    options.seed = seed;
    const SimulationReport report = Simulation(options).run();
    ASSERT_EQ(report.violation, "") << replay_command(seed);
    ASSERT_TRUE(report.is_done && report.is_complete) << replay_command(seed);
    ASSERT_EQ(report.queries, 1u) << replay_command(seed);
    ASSERT_EQ(report.resent, report.busy_refused) << replay_command(seed);
    ASSERT_LE(report.puts, report.chunk_count + report.busy_refused) << replay_command(seed);
  }
}

TEST(SyncSimulation, IsTheSameForTheSameSeed) {
  const auto text = [](std::uint64_t seed) {
    const SimulationReport r = Simulation(SimulationOptions::with_faults(seed)).run();
    return std::to_string(r.puts) + "/" + std::to_string(r.queries) + "/" +
           std::to_string(r.excuses);
  };
  for (std::uint64_t seed = 1; seed <= 20; ++seed) EXPECT_EQ(text(seed), text(seed));
}

}  // namespace
}  // namespace hearth::kv
