#pragma once
// Which layers of a model lie on which machine of a pool. A pure function over bytes and speeds.
//
// One stream passes the machines one after another, so decoding takes the sum of bytes / bandwidth:
// where bandwidths are known, the machine with the fastest memory is filled first. Without them the
// layers are dealt out in proportion to free memory, and with shares in proportion to those. No
// machine gets more than fits.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "hearth/base/result.h"

namespace hearth::cluster {

// Of each machine's free memory: buffers of computation, and what else moves in it.
inline constexpr double placement_margin = 0.05;
inline constexpr std::uint64_t placement_reserve_bytes = 256ull << 20;

struct PoolMachine {
  std::string name;
  std::uint64_t free_bytes = 0;
  std::optional<double> bandwidth_gb_per_s{};  // counts when all machines have one
  std::optional<double> share{};               // likewise; comes before bandwidth. 0: no layers
};

struct LayerSizes {
  std::vector<std::uint64_t> layer_bytes;  // weights and KV of each
  std::uint64_t home_bytes = 0;            // what the machine of the context keeps beside its layers
};

// Layers of each machine, in the order of the machines, which is that of the layers. `home` is the
// machine of the context, and may get none. resource_exhausted, with the figures: they do not fit.
Result<std::vector<std::uint32_t>> place_layers(const LayerSizes& sizes,
                                                std::span<const PoolMachine> machines,
                                                std::size_t home);

}  // namespace hearth::cluster
