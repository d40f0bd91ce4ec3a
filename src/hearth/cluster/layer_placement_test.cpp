#include "hearth/cluster/layer_placement.h"

#include <gtest/gtest.h>

#include <numeric>
#include <random>

namespace hearth::cluster {
namespace {

constexpr std::uint64_t gb = 1'000'000'000;
using Counts = std::vector<std::uint32_t>;

LayerSizes layers(std::size_t count, std::uint64_t each, std::uint64_t home = 0) {
  return {.layer_bytes = std::vector<std::uint64_t>(count, each), .home_bytes = home};
}

struct Case {
  std::string what;
  LayerSizes sizes;
  std::vector<PoolMachine> machines;
  std::size_t home;
  Counts expected;
};

TEST(LayerPlacement, DealsLayersOutBySharesSpeedsOrFreeMemory) {
  const std::vector<Case> cases = {
      {"alone", layers(4, gb), {{"a", 20 * gb}}, 0, {4}},
      {"equal memory, equal parts", layers(10, gb), {{"a", 20 * gb}, {"b", 20 * gb}}, 0, {5, 5}},
      {"by free memory", layers(12, gb), {{"a", 31 * gb}, {"b", 11 * gb}}, 0, {9, 3}},
      {"by shares", layers(10, gb), {{"a", 20 * gb, {}, 4.0}, {"b", 99 * gb, {}, 1.0}}, 0, {8, 2}},
      {"a share of nothing", layers(10, gb), {{"a", 20 * gb, {}, 0.0}, {"b", 99 * gb, {}, 1.0}}, 0, {0, 10}},
      {"a share beyond what fits goes to the others", layers(10, gb),
       {{"a", 4 * gb, {}, 9.0}, {"b", 99 * gb, {}, 1.0}}, 0, {3, 7}},
      {"shares of some count for nothing", layers(10, gb), {{"a", 20 * gb, {}, 9.0}, {"b", 20 * gb}}, 0, {5, 5}},
      {"the fastest memory first", layers(10, gb), {{"a", 8 * gb, 273.0}, {"b", 8 * gb, 819.0}}, 0, {3, 7}},
      {"a slow machine that is not needed", layers(6, gb), {{"a", 99 * gb, 819.0}, {"b", 99 * gb, 273.0}}, 0, {6, 0}},
      {"speeds of some count for nothing", layers(10, gb), {{"a", 20 * gb, 819.0}, {"b", 20 * gb}}, 0, {5, 5}},
      {"what is kept at home leaves less for layers", layers(10, gb, 9 * gb), {{"a", 20 * gb}, {"b", 20 * gb}}, 0,
       {3, 7}},
      {"home at the end", layers(10, gb, 9 * gb), {{"b", 20 * gb}, {"a", 20 * gb}}, 1, {7, 3}},
      {"unlike layers: bytes count", {{gb, gb, gb, gb, 4 * gb, 4 * gb}, 0}, {{"a", 20 * gb}, {"b", 20 * gb}}, 0, {5, 1}},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.what);
    const auto placed = place_layers(c.sizes, c.machines, c.home);
    ASSERT_TRUE(placed) << placed.error().message;
    EXPECT_EQ(*placed, c.expected);
  }
}

TEST(LayerPlacement, WhatDoesNotFitIsRefusedWithFigures) {
  const std::vector<PoolMachine> machines = {{"studio", 8 * gb}, {"spark-1", 3 * gb}};
  const auto placed = place_layers(layers(12, gb), machines, 0);
  ASSERT_FALSE(placed);
  EXPECT_EQ(placed.error().code, Code::resource_exhausted);
  for (const char* part : {"12.0 GB", "studio 8.0 GB", "spark-1 3.0 GB"}) {
    EXPECT_NE(placed.error().message.find(part), std::string::npos) << placed.error().message;
  }
}

TEST(LayerPlacement, EveryLayerLiesSomewhereAndNoMachineIsOverfilled) {
  std::mt19937_64 random(7);
  const auto between = [&](std::uint64_t low, std::uint64_t high) { return low + random() % (high - low + 1); };
  int placed_count = 0;
  for (int round = 0; round < 2'000; ++round) {
    SCOPED_TRACE(round);
    LayerSizes sizes{.layer_bytes = {}, .home_bytes = between(0, 2 * gb)};
    for (std::uint64_t i = between(1, 60); i > 0; --i) sizes.layer_bytes.push_back(between(gb / 10, gb));
    std::vector<PoolMachine> machines(between(1, 5));
    const std::uint64_t kind = between(0, 2);
    for (PoolMachine& machine : machines) {
      machine.free_bytes = between(0, 40 * gb);
      if (kind == 1) machine.share = static_cast<double>(between(0, 5));
      if (kind == 2) machine.bandwidth_gb_per_s = static_cast<double>(between(50, 900));
    }
    const std::size_t home = between(0, machines.size() - 1);
    const auto placed = place_layers(sizes, machines, home);
    if (!placed) continue;
    ++placed_count;
    ASSERT_EQ(placed->size(), machines.size());
    std::size_t layer = 0;
    for (std::size_t i = 0; i < machines.size(); ++i) {
      std::uint64_t used = i == home ? sizes.home_bytes : 0;
      for (std::uint32_t n = 0; n < (*placed)[i]; ++n) used += sizes.layer_bytes.at(layer++);
      if ((*placed)[i] > 0) {
        EXPECT_LE(used, machines[i].free_bytes);
      }
      if (machines[i].share == 0.0) {
        EXPECT_EQ((*placed)[i], 0u);
      }
    }
    EXPECT_EQ(layer, sizes.layer_bytes.size());
  }
  EXPECT_GT(placed_count, 1'000);
}

}  // namespace
}  // namespace hearth::cluster
