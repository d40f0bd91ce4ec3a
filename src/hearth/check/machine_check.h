#pragma once
// The machine that engines run on: memory, swap, limits, clock, power, links, disks.
//
// Everything is what the system says, nothing is measured. What a system does not tell is absent, and
// absent is no finding. On Linux the facts come from /proc and /sys below `root`.

#include <filesystem>
#include <optional>

#include "hearth/check/lock.h"

namespace hearth::check {

struct LinkFacts {
  std::string interface;
  bool is_up = false;
  std::uint64_t mbit_s = 0;  // 0: it does not say (wireless, virtual)
  std::uint64_t mtu_bytes = 0;
};

struct DiskFacts {
  std::string folder;
  std::uint64_t free_bytes = 0, total_bytes = 0;
};

struct MachineFacts {
  std::optional<std::uint64_t> memory_bytes, available_bytes, swap_used_bytes;
  // What Metal may keep resident (iogpu.wired_limit_mb); 0: nobody set it, the system chooses.
  std::optional<std::uint64_t> wired_limit_bytes;
  std::optional<std::uint64_t> open_files_max;  // that this process may ask for
  std::optional<bool> clock_is_synchronised;
  std::optional<bool> saves_power;  // a low-power profile is chosen
  std::optional<bool> on_battery;
  std::optional<std::uint64_t> sleeps_after_minutes;  // without a user; 0: never
  std::vector<LinkFacts> links;  // those with a cable or a peer, by name
  std::vector<DiskFacts> disks;
};

MachineFacts gather_machine(const std::filesystem::path& root, const std::vector<std::filesystem::path>& folders);

// `model_bytes`: the largest model that shall run here alone; 0: none.
Findings machine_findings(const MachineFacts& facts, std::uint64_t model_bytes);
// Those pinned against those there are.
Findings link_findings(const std::vector<LinkFacts>& links, const std::vector<LockedLink>& pinned);
std::vector<LockedLink> pin_links(const std::vector<LinkFacts>& links);

}  // namespace hearth::check
