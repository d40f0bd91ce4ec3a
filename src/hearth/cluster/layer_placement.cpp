#include "hearth/cluster/layer_placement.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "hearth/base/check.h"

namespace hearth::cluster {
namespace {

std::vector<double> capacities(const LayerSizes& sizes, std::span<const PoolMachine> machines,
                               std::size_t home) {
  std::vector<double> out;
  for (std::size_t i = 0; i < machines.size(); ++i) {
    const double free = static_cast<double>(machines[i].free_bytes) * (1 - placement_margin);
    const double kept = static_cast<double>(placement_reserve_bytes + (i == home ? sizes.home_bytes : 0));
    out.push_back(machines[i].share == 0.0 ? 0 : std::max(0.0, free - kept));
  }
  return out;
}

// Fills machine after machine, the fastest first.
std::vector<double> fill_fastest(std::span<const PoolMachine> machines, std::span<const double> capacity,
                                 double bytes) {
  std::vector<std::size_t> order(machines.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, [&](std::size_t a, std::size_t b) {
    return *machines[a].bandwidth_gb_per_s > *machines[b].bandwidth_gb_per_s;
  });
  std::vector<double> out(machines.size(), 0);
  for (const std::size_t i : order) {
    out[i] = std::min(capacity[i], bytes);
    bytes -= out[i];
  }
  return out;
}

// In proportion to `weights`; what does not fit in one goes to the others.
std::vector<double> deal_out(std::span<const double> weights, std::span<const double> capacity, double bytes) {
  std::vector<double> out(weights.size(), 0);
  std::vector<bool> full(weights.size(), false);
  for (std::size_t round = 0; round < weights.size(); ++round) {
    double open_weights = 0;
    double left = bytes;
    for (std::size_t i = 0; i < weights.size(); ++i) {
      full[i] ? left -= capacity[i] : open_weights += weights[i];
    }
    bool overflowed = false;
    for (std::size_t i = 0; i < weights.size(); ++i) {
      if (full[i]) continue;
      out[i] = open_weights > 0 ? left * weights[i] / open_weights : 0;
      if (out[i] <= capacity[i]) continue;
      out[i] = capacity[i];
      full[i] = overflowed = true;
    }
    if (!overflowed) break;
  }
  return out;
}

// Whole layers, in order, as near to the wanted bytes as they go. The last wanted machine is the
// one that takes what rounding left over. Empty: too much for one of them.
std::vector<std::uint32_t> cut(std::span<const std::uint64_t> layers, std::span<const double> wanted,
                               std::span<const double> capacity) {
  std::vector<std::uint32_t> out(wanted.size(), 0);
  std::size_t machine = 0;
  double begin = 0;  // of the layer
  double end_wanted = wanted[0];
  double used = 0;
  for (const std::uint64_t layer : layers) {
    const auto bytes = static_cast<double>(layer);
    while (machine + 1 < wanted.size() &&
           (begin + bytes / 2 > end_wanted * (1 + 1e-9) || used + bytes > capacity[machine])) {
      end_wanted += wanted[++machine];
      used = 0;
    }
    if (used + bytes > capacity[machine]) return {};
    used += bytes;
    begin += bytes;
    ++out[machine];
  }
  return out;
}

std::vector<double> wanted_bytes(std::span<const PoolMachine> machines, std::span<const double> capacity,
                                 double bytes) {
  const bool has_shares = std::ranges::all_of(machines, [](const auto& m) { return m.share.has_value(); });
  const bool has_speeds =
      std::ranges::all_of(machines, [](const auto& m) { return m.bandwidth_gb_per_s.has_value(); });
  if (!has_shares && has_speeds) return fill_fastest(machines, capacity, bytes);
  std::vector<double> weights;
  for (std::size_t i = 0; i < machines.size(); ++i) {
    weights.push_back(has_shares ? *machines[i].share : capacity[i]);
  }
  return deal_out(weights, capacity, bytes);
}

std::string free_memory(std::span<const PoolMachine> machines) {
  std::string out;
  for (const PoolMachine& machine : machines) {
    out += fmt::format("{}{} {:.1f} GB", out.empty() ? "" : ", ", machine.name,
                       static_cast<double>(machine.free_bytes) / 1e9);
  }
  return out;
}

}  // namespace

Result<std::vector<std::uint32_t>> place_layers(const LayerSizes& sizes,
                                                std::span<const PoolMachine> machines,
                                                std::size_t home) {
  CHECK(home < machines.size());
  const double bytes = std::accumulate(sizes.layer_bytes.begin(), sizes.layer_bytes.end(), 0.0,
                                       [](double sum, std::uint64_t layer) { return sum + static_cast<double>(layer); });
  const std::vector<double> capacity = capacities(sizes, machines, home);
  auto out = cut(sizes.layer_bytes, wanted_bytes(machines, capacity, bytes), capacity);
  // Rounding to whole layers can overfill the last one: then machine after machine, as full as it goes.
  if (out.empty()) out = cut(sizes.layer_bytes, capacity, capacity);
  if (!out.empty()) return out;
  return fail(Code::resource_exhausted,
              fmt::format("the layers and their KV take {:.1f} GB, which do not fit into what is free: {} "
                          "({:.0f} % and {} MiB of each are kept for computing); use a smaller context, more "
                          "machines, or a smaller quantisation",
                          bytes / 1e9, free_memory(machines), placement_margin * 100,
                          placement_reserve_bytes >> 20));
}

}  // namespace hearth::cluster
