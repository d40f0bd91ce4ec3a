#include "hearth/plan/output/layout.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace hearth::plan {
namespace {
constexpr double seconds_per_minute = 60;
constexpr double seconds_per_hour = 3600;
bool starts_character(char c) { return (static_cast<unsigned char>(c) & 0xC0u) != 0x80u; }
}  // namespace

std::size_t columns(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(text, starts_character));
}

std::string fit(std::string_view text, std::size_t width) {
  if (columns(text) <= width) return std::string(text) + std::string(width - columns(text), ' ');
  std::string out;
  std::size_t used = 0;
  for (const char c : text) {
    if (starts_character(c) && used++ == width - 1) break;
    out += c;
  }
  return out + "…";
}

std::string wrap(std::string_view text, std::size_t indent) {
  const std::size_t lead = std::min(text.find_first_not_of(' '), text.size());
  std::string out(text.substr(0, lead));
  text.remove_prefix(lead);
  std::size_t column = lead;
  bool line_empty = true;
  while (!text.empty()) {
    // Runs of blanks inside stay: they align columns.
    const std::size_t end = std::min(text.find(' '), text.size());
    const std::size_t next = std::min(text.find_first_not_of(' ', end), text.size());
    const std::string_view word = text.substr(0, end);
    if (!line_empty && column + columns(word) > terminal_columns) {
      out.erase(out.find_last_not_of(' ') + 1);
      out += "\n" + std::string(indent, ' ');
      column = indent;
    }
    out += text.substr(0, next);
    column += columns(text.substr(0, next));
    line_empty = false;
    text.remove_prefix(next);
  }
  return out.substr(0, out.find_last_not_of(' ') + 1);
}

std::string bar(double share, std::size_t width) {
  const double cells = std::clamp(share, 0.0, 1.0) * static_cast<double>(width);
  std::string out;
  for (std::size_t i = 0; i < static_cast<std::size_t>(cells); ++i) out += "█";
  if (cells - std::floor(cells) >= 0.5) out += "▌";
  return out;
}

std::string seconds_text(double seconds) {
  if (seconds < 9.95) return fmt::format("{:.1f} s", seconds);
  if (seconds < 2 * seconds_per_minute) return fmt::format("{:.0f} s", seconds);
  if (seconds < 2 * seconds_per_hour)
    return fmt::format("{:.0f} min", seconds / seconds_per_minute);
  return fmt::format("{:.1f} h", seconds / seconds_per_hour);
}

std::string tokens_text(std::uint64_t tokens) {
  return tokens < 1000 ? fmt::format("{}", tokens) : fmt::format("{}k", tokens / 1000);
}

std::string rate_text(double tok_s) {
  return tok_s < 9.95 ? fmt::format("{:.1f}", tok_s) : fmt::format("{:.0f}", tok_s);
}

std::string precise_rate_text(double tok_s) { return fmt::format("{:.1f}", tok_s); }

std::string trimmed_lines(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    out += line.substr(0, line.find_last_not_of(' ') + 1);
    if (end < text.size()) out += '\n';
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

std::string gb_text(double bytes) { return fmt::format("{:.0f} GB", bytes / 1e9); }

}  // namespace hearth::plan
