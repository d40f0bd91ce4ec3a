// Where the facts about a machine come from.

#include <sys/resource.h>
#include <sys/statvfs.h>
#ifdef __APPLE__
#include <sys/sysctl.h>
#else
#include <sys/timex.h>
#endif

#include <algorithm>
#include <charconv>
#include <fstream>

#include "hearth/base/child_process.h"
#include "hearth/check/machine_check.h"

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
template <class T>
std::optional<T> system_value(const char* name) {
  T value{};
  std::size_t bytes = sizeof(value);
  if (::sysctlbyname(name, &value, &bytes, nullptr, 0) != 0 || bytes != sizeof(value)) return std::nullopt;
  return value;
}

void read_apple(MachineFacts& out) {
  out.memory_bytes = system_value<std::uint64_t>("hw.memsize");
  if (const auto megabytes = system_value<std::int32_t>("iogpu.wired_limit_mb")) {
    out.wired_limit_bytes = static_cast<std::uint64_t>(*megabytes) << 20;
  }
  if (const auto swap = system_value<xsw_usage>("vm.swapusage")) out.swap_used_bytes = swap->xsu_used;
  auto pmset = ChildProcess::start("/usr/bin/pmset", {"-g"});
  if (!pmset) return;
  const auto text = pmset->read_output(Deadline::after(std::chrono::seconds(5)), {});
  if (text) out.saves_power = saves_power_by_pmset(as_text(*text));
}
#endif

}  // namespace

MachineFacts gather_machine(const fs::path& root, const std::vector<fs::path>& folders) {
  MachineFacts out;
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
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) == 0) out.open_files_max = static_cast<std::uint64_t>(files.rlim_max);
  for (const fs::path& folder : folders) {
    struct statvfs info {};
    if (::statvfs(folder.c_str(), &info) != 0) continue;
    out.disks.push_back({folder.string(), static_cast<std::uint64_t>(info.f_bavail) * info.f_frsize,
                         static_cast<std::uint64_t>(info.f_blocks) * info.f_frsize});
  }
  return out;
}

}  // namespace hearth::check
