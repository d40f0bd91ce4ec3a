#include "hearth/check/apple_facts.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <functional>

namespace hearth::check {
namespace {

constexpr double number_max = 1e15;  // of bytes, pages and megabytes alike

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t\r");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r.") + 1 - begin);
}

void each_line(std::string_view text, const std::function<void(std::string_view)>& take) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    take(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

// The number that a text begins with; what follows it goes to `rest`.
std::optional<double> number_at(std::string_view text, std::string_view* rest = nullptr) {
  text = trimmed(text);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
  if (error != std::errc() || !(value >= 0 && value <= number_max)) return std::nullopt;
  if (rest != nullptr) *rest = text.substr(static_cast<std::size_t>(end - text.data()));
  return value;
}

std::optional<std::uint64_t> count_at(std::string_view text) {
  const auto value = number_at(text);
  return value ? std::optional(static_cast<std::uint64_t>(*value)) : std::nullopt;
}

// "1022.50M"
std::optional<std::uint64_t> size_at(std::string_view text) {
  std::string_view unit;
  const auto value = number_at(text, &unit);
  if (!value) return std::nullopt;
  const char letter = unit.empty() ? 'B' : unit.front();
  const double scale = letter == 'K' ? 1024.0 : letter == 'M' ? 1048576.0 : letter == 'G' ? 1073741824.0 : 1.0;
  return static_cast<std::uint64_t>(*value * scale);
}

// What follows `key` in a line; nothing where the line does not begin with it.
std::optional<std::string_view> value_of(std::string_view line, std::string_view key) {
  line = trimmed(line);
  if (!line.starts_with(key) || line.size() <= key.size()) return std::nullopt;
  const char next = line[key.size()];
  if (next != ' ' && next != ':' && next != '\t') return std::nullopt;
  return trimmed(line.substr(key.size() + 1));
}

// "autoselect (10Gbase-T <full-duplex>)" is 10,000 Mbit/s.
std::uint64_t media_mbit_s(std::string_view media) {
  const std::size_t open = media.find('(');
  if (open == std::string_view::npos) return 0;
  std::string_view unit;
  const auto value = number_at(media.substr(open + 1), &unit);
  if (!value) return 0;
  const bool is_giga = unit.starts_with('G') || unit.starts_with('g');
  if (is_giga) unit.remove_prefix(1);
  if (!unit.starts_with("base") && !unit.starts_with("Base")) return 0;
  return static_cast<std::uint64_t>(*value * (is_giga ? 1000 : 1));
}

}  // namespace

void read_sysctl(std::string_view text, MachineFacts& out) {
  each_line(text, [&](std::string_view line) {
    if (const auto bytes = value_of(line, "hw.memsize")) out.memory_bytes = count_at(*bytes);
    if (const auto limit = value_of(line, "iogpu.wired_limit_mb")) {
      if (const auto megabytes = count_at(*limit)) out.wired_limit_bytes = *megabytes << 20;
    }
    if (const auto files = value_of(line, "kern.maxfilesperproc")) {
      if (const auto most = count_at(*files)) out.open_files_max = std::min(*most, out.open_files_max.value_or(*most));
    }
    const auto swap = value_of(line, "vm.swapusage");
    const std::size_t used = swap ? swap->find("used = ") : std::string_view::npos;
    if (used != std::string_view::npos) out.swap_used_bytes = size_at(swap->substr(used + 7));
  });
}

void read_vm_stat(std::string_view text, MachineFacts& out) {
  const std::string_view mark = "page size of ";
  const std::size_t at = text.find(mark);
  const auto page_bytes = at == std::string_view::npos ? std::nullopt : count_at(text.substr(at + mark.size()));
  if (!page_bytes || *page_bytes > (1U << 24)) return;
  std::optional<std::uint64_t> pages;
  each_line(text, [&](std::string_view line) {
    for (const std::string_view key : {"Pages free", "Pages inactive", "Pages speculative", "Pages purgeable"}) {
      const auto value = value_of(line, key);
      const auto count = value ? count_at(*value) : std::nullopt;
      if (count) pages = pages.value_or(0) + *count;
    }
  });
  if (pages && *pages < (1ULL << 40)) out.available_bytes = *pages * *page_bytes;
}

void read_pmset(std::string_view text, MachineFacts& out) {
  each_line(text, [&](std::string_view line) {
    if (const auto low = value_of(line, "lowpowermode")) out.saves_power = out.saves_power.value_or(false) || count_at(*low) == 1U;
    // 0 automatic, 1 low, 2 high.
    if (const auto mode = value_of(line, "powermode")) out.saves_power = out.saves_power.value_or(false) || count_at(*mode) == 1U;
    if (const auto sleep = value_of(line, "sleep")) {
      if (const auto minutes = count_at(*sleep)) out.sleeps_after_minutes = *minutes;
    }
  });
}

void read_power_source(std::string_view text, MachineFacts& out) {
  if (text.find("'Battery Power'") != std::string_view::npos) out.on_battery = true;
  else if (text.find("'AC Power'") != std::string_view::npos) out.on_battery = false;
}

void read_ifconfig(std::string_view text, MachineFacts& out) {
  bool is_wanted = false;
  each_line(text, [&](std::string_view line) {
    if (!line.empty() && line.front() != '\t' && line.front() != ' ') {
      const std::size_t colon = line.find(": ");
      // Cables and the bridge over Thunderbolt; the others are tunnels and the system's own.
      is_wanted = colon != std::string_view::npos && (line.starts_with("en") || line.starts_with("bridge"));
      if (!is_wanted) return;
      LinkFacts link{.interface = std::string(line.substr(0, colon)), .is_up = false, .mbit_s = 0, .mtu_bytes = 0};
      if (const std::size_t mtu = line.find(" mtu "); mtu != std::string_view::npos) link.mtu_bytes = count_at(line.substr(mtu + 5)).value_or(0);
      out.links.push_back(std::move(link));
      return;
    }
    if (!is_wanted) return;
    if (const auto media = value_of(line, "media")) out.links.back().mbit_s = media_mbit_s(*media);
    if (const auto status = value_of(line, "status")) out.links.back().is_up = *status == "active";
  });
}

}  // namespace hearth::check
