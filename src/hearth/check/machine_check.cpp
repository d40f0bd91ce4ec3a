#include "hearth/check/machine_check.h"

#include <fmt/format.h>

#include <algorithm>

namespace hearth::check {
namespace {

constexpr std::uint64_t swap_used_bytes_max = 256ULL << 20;
constexpr std::uint64_t open_files_min = 4'096;  // 1,024 connections, a wait each, chunk files
constexpr std::uint64_t disk_free_bytes_min = 1ULL << 30;
// Beside the weights: context, buffers, system.
constexpr double memory_share_max = 0.9;
// Metal's own choice was 84 % of a laptop's memory and 91 % of a desktop's.
constexpr double wired_default_share_min = 0.8;

std::string gb(std::uint64_t bytes) { return fmt::format("{:.1f} GB", static_cast<double>(bytes) / 1e9); }

void memory_findings(const MachineFacts& facts, std::uint64_t model_bytes, Findings& out) {
  if (facts.memory_bytes && static_cast<double>(model_bytes) > static_cast<double>(*facts.memory_bytes) * memory_share_max) {
    out.push_back({"memory.too_small", Severity::blocks,
                   fmt::format("the model has {}, this machine {}", gb(model_bytes), gb(*facts.memory_bytes)),
                   "ask hearth plan what fits; a smaller quantisation, or layers on other machines (docs/pool.md)"});
  } else if (facts.available_bytes && model_bytes > *facts.available_bytes) {
    out.push_back({"memory.in_use", Severity::warning,
                   fmt::format("the model has {}, free are {} of {}", gb(model_bytes), gb(*facts.available_bytes), gb(facts.memory_bytes.value_or(0))),
                   "end other programs first: an engine that swaps is a hundred times slower"});
  }
  if (facts.wired_limit_bytes && *facts.wired_limit_bytes > 0 && model_bytes > *facts.wired_limit_bytes) {
    out.push_back({"memory.wired_limit", Severity::blocks,
                   fmt::format("the model has {}, the GPU may keep {}", gb(model_bytes), gb(*facts.wired_limit_bytes)),
                   fmt::format("sudo sysctl iogpu.wired_limit_mb={}", (model_bytes + model_bytes / 10) >> 20)});
  }
  if (facts.wired_limit_bytes == 0U && facts.memory_bytes &&
      static_cast<double>(model_bytes) > static_cast<double>(*facts.memory_bytes) * wired_default_share_min) {
    out.push_back({"memory.wired_limit", Severity::warning,
                   fmt::format("the model has {} of {}; what the GPU may keep is left to the system, which allows 84 to 91 %, context and buffers included",
                               gb(model_bytes), gb(*facts.memory_bytes)),
                   fmt::format("sudo sysctl iogpu.wired_limit_mb={}", (model_bytes + model_bytes / 10) >> 20)});
  }
  if (facts.swap_used_bytes.value_or(0) > swap_used_bytes_max) {
    out.push_back({"memory.swap", Severity::warning, fmt::format("{} are swapped out", gb(*facts.swap_used_bytes)),
                   "end what needs the memory, then swapoff -a && swapon -a, or restart the machine"});
  }
}

void power_findings(const MachineFacts& facts, Findings& out) {
  if (facts.saves_power.value_or(false)) {
    out.push_back({"power.saver", Severity::warning, "a low-power profile is chosen",
                   "choose performance: powerprofilesctl set performance, or sudo pmset -a lowpowermode 0"});
  }
  if (facts.sleeps_after_minutes.value_or(0) > 0) {
    out.push_back({"power.sleeps", Severity::note, fmt::format("this machine sleeps after {} minutes without a user", *facts.sleeps_after_minutes),
                   "sudo pmset -a sleep 0, or caffeinate -i beside long runs: a machine that sleeps answers nobody"});
  }
  if (facts.on_battery.value_or(false)) {
    out.push_back({"power.battery", Severity::warning, "this machine runs on its battery", "plug it in: rates on battery are others"});
  }
}

}  // namespace

Findings machine_findings(const MachineFacts& facts, std::uint64_t model_bytes) {
  Findings out;
  memory_findings(facts, model_bytes, out);
  if (facts.open_files_max && *facts.open_files_max < open_files_min) {
    out.push_back({"limits.open_files", Severity::blocks, fmt::format("a process may open {} files; {} are needed", *facts.open_files_max, open_files_min),
                   "ulimit -Hn, LimitNOFILE= of the systemd unit, or launchctl limit maxfiles"});
  }
  if (!facts.clock_is_synchronised.value_or(true)) {
    out.push_back({"clock.not_synchronised", Severity::warning, "no time service keeps this clock right",
                   "timedatectl set-ntp true: certificates and joint logs depend on it"});
  }
  power_findings(facts, out);
  for (const DiskFacts& disk : facts.disks) {
    if (disk.free_bytes >= disk_free_bytes_min) continue;
    out.push_back({"disk.full", Severity::blocks, fmt::format("{} has {} free of {}", disk.folder, gb(disk.free_bytes), gb(disk.total_bytes)),
                   "make room: hearth kv gc, or old models"});
  }
  return out;
}

Findings link_findings(const std::vector<LinkFacts>& links, const std::vector<LockedLink>& pinned) {
  Findings out;
  for (const LockedLink& wanted : pinned) {
    const auto link = std::ranges::find(links, wanted.interface, &LinkFacts::interface);
    if (link == links.end() || !link->is_up) {
      out.push_back({"link.down", Severity::blocks, wanted.interface + (link == links.end() ? " is not there" : " is down"),
                     "plug the cable in; traffic would silently take a slower way"});
      continue;
    }
    if (link->mbit_s < wanted.mbit_s) {
      out.push_back({"link.slow", Severity::blocks, fmt::format("{} runs at {} Mbit/s, pinned are {}", wanted.interface, link->mbit_s, wanted.mbit_s),
                     "look at cable, port and peer: one of them negotiated less"});
    }
    if (link->mtu_bytes < wanted.mtu_bytes) {
      out.push_back({"link.mtu", Severity::warning, fmt::format("{} has an MTU of {}, pinned is {}", wanted.interface, link->mtu_bytes, wanted.mtu_bytes),
                     fmt::format("ip link set {} mtu {}", wanted.interface, wanted.mtu_bytes)});
    }
  }
  return out;
}

std::vector<LockedLink> pin_links(const std::vector<LinkFacts>& links) {
  std::vector<LockedLink> out;
  for (const LinkFacts& link : links) {
    if (link.is_up && link.mbit_s > 0) out.push_back({link.interface, link.mbit_s, link.mtu_bytes});
  }
  return out;
}

}  // namespace hearth::check
