// Where the facts about a machine come from.

#include <sys/resource.h>
#include <sys/statvfs.h>
#ifndef __APPLE__
#include <sys/timex.h>
#endif

#include <algorithm>
#include <charconv>
#include <fstream>

#include "hearth/base/child_process.h"
#include "hearth/check/apple_facts.h"

namespace hearth::check {
namespace {

namespace fs = std::filesystem;

// The first line of a file of /sys; empty when it is not there. Such files have no size.
std::string line_of(const fs::path& file) {
  std::ifstream in(file);
  std::string line;
  std::getline(in, line);
  return line;
}

std::optional<std::uint64_t> number_of(const fs::path& file) {
  const std::string text = line_of(file);
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end == text.data()) return std::nullopt;
  return value;
}

// Folders below `folder`, by name.
std::vector<fs::path> entries_of(const fs::path& folder) {
  std::vector<fs::path> out;
  std::error_code error;
  for (fs::directory_iterator i(folder, error), end; !error && i != end; i.increment(error)) out.push_back(i->path());
  std::ranges::sort(out);
  return out;
}

void read_meminfo(const fs::path& file, MachineFacts& out) {
  std::ifstream in(file);
  std::string key, line;
  std::uint64_t kib = 0;
  std::optional<std::uint64_t> swap_total, swap_free;
  while (in >> key >> kib && std::getline(in, line)) {
    const std::uint64_t bytes = kib * 1024;
    if (key == "MemTotal:") out.memory_bytes = bytes;
    if (key == "MemAvailable:") out.available_bytes = bytes;
    if (key == "SwapTotal:") swap_total = bytes;
    if (key == "SwapFree:") swap_free = bytes;
  }
  if (swap_total && swap_free) out.swap_used_bytes = *swap_total - std::min(*swap_total, *swap_free);
}

void read_power(const fs::path& sys, MachineFacts& out) {
  const std::string profile = line_of(sys / "firmware/acpi/platform_profile");
  const std::string governor = line_of(sys / "devices/system/cpu/cpu0/cpufreq/scaling_governor");
  const std::string driver = line_of(sys / "devices/system/cpu/cpu0/cpufreq/scaling_driver");
  if (!profile.empty()) out.saves_power = profile == "low-power" || profile == "quiet";
  // With drivers that choose by themselves, "powersave" is the normal governor.
  if (!governor.empty() && driver != "intel_pstate" && !driver.starts_with("amd-pstate")) {
    out.saves_power = out.saves_power.value_or(false) || governor == "powersave";
  }
  for (const fs::path& supply : entries_of(sys / "class/power_supply")) {
    if (line_of(supply / "type") == "Mains") out.on_battery = number_of(supply / "online") == 0U;
  }
}

void read_links(const fs::path& sys, MachineFacts& out) {
  for (const fs::path& link : entries_of(sys / "class/net")) {
    const std::string name = link.filename().string();
    if (name == "lo") continue;
    out.links.push_back({.interface = name,
                         .is_up = line_of(link / "operstate") == "up",
                         .mbit_s = number_of(link / "speed").value_or(0),
                         .mtu_bytes = number_of(link / "mtu").value_or(0)});
  }
}

#ifdef __APPLE__
constexpr Duration tool_time_max = std::chrono::seconds(5);
constexpr std::size_t tool_bytes_max = 1U << 20;

// Everything that a tool of the system prints; empty when it is not there.
std::string output_of(const char* tool, std::vector<std::string> arguments) {
  auto child = ChildProcess::start(tool, std::move(arguments));
  std::string out;
  const Deadline deadline = Deadline::after(tool_time_max);
  while (child && out.size() < tool_bytes_max) {
    const auto piece = child->read_output(deadline, {});
    if (!piece || piece->empty()) break;
    out += as_text(*piece);
  }
  return out;
}

void read_apple(MachineFacts& out) {
  read_sysctl(output_of("/usr/sbin/sysctl", {"hw.memsize", "iogpu.wired_limit_mb", "vm.swapusage", "kern.maxfilesperproc"}), out);
  read_vm_stat(output_of("/usr/bin/vm_stat", {}), out);
  read_pmset(output_of("/usr/bin/pmset", {"-g"}), out);
  read_power_source(output_of("/usr/bin/pmset", {"-g", "ps"}), out);
  read_ifconfig(output_of("/sbin/ifconfig", {"-a"}), out);
}
#endif

}  // namespace

MachineFacts gather_machine(const fs::path& root, const std::vector<fs::path>& folders) {
  MachineFacts out;
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) == 0) out.open_files_max = static_cast<std::uint64_t>(files.rlim_max);
#ifdef __APPLE__
  read_apple(out);
#else
  if (root == "/") {
    timex clock{};
    const int state = ::adjtimex(&clock);
    if (state >= 0) out.clock_is_synchronised = (clock.status & STA_UNSYNC) == 0;
  }
#endif
  read_meminfo(root / "proc/meminfo", out);
  read_power(root / "sys", out);
  read_links(root / "sys", out);
  for (const fs::path& folder : folders) {
    struct statvfs info {};
    if (::statvfs(folder.c_str(), &info) != 0) continue;
    out.disks.push_back({folder.string(), static_cast<std::uint64_t>(info.f_bavail) * info.f_frsize,
                         static_cast<std::uint64_t>(info.f_blocks) * info.f_frsize});
  }
  return out;
}

}  // namespace hearth::check
