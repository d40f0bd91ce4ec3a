#include "hearth/session/memory_prefix.h"

#include <fmt/format.h>

#include "hearth/session/line_diff.h"

namespace hearth::session {
namespace {

constexpr std::string_view memory_heading =
    "# Memory\n\n"
    "These files are what you know about the person you talk to. They were read when this conversation\n"
    "began; later changes are told in the conversation, and count more than what stands here.\n";

void end_line(std::string& text) {
  if (!text.empty() && !text.ends_with('\n')) text += '\n';
}

void add_file(std::string& out, std::string_view path, std::string_view text) {
  out += fmt::format("\n<memory_file path=\"{}\">\n{}", path, text);
  end_line(out);
  out += "</memory_file>\n";
}

const std::string& text_of(const MemoryFiles& files, const std::string& path) {
  static const std::string none;
  const auto found = files.find(path);
  return found == files.end() ? none : found->second;
}

}  // namespace

std::string render_prefix(std::string_view instructions, const MemoryFiles& files) {
  std::string out(instructions);
  if (files.empty()) return out;
  end_line(out);
  if (!out.empty()) out += '\n';
  out += memory_heading;
  for (const auto& [path, text] : files) add_file(out, path, text);
  return out;
}

std::string render_change(const MemoryFiles& before, const MemoryFiles& after) {
  std::string out;
  for (const MemoryChange& change : changes_between(before, after)) {
    if (!change.text) {
      out += fmt::format("\n<memory_file path=\"{}\" removed=\"true\"/>\n", change.path);
      continue;
    }
    const auto old = before.find(change.path);
    const std::string diff = old == before.end() ? std::string() : unified_diff(old->second, *change.text);
    if (diff.empty() || diff.size() >= change.text->size()) {
      add_file(out, change.path, *change.text);
    } else {
      out += fmt::format("\n<memory_change path=\"{}\">\n{}</memory_change>\n", change.path, diff);
    }
  }
  return out.empty() ? out : "Memory has changed:\n" + out;
}

std::string memory_diff_text(const MemoryFiles& before, const MemoryFiles& after) {
  std::string out;
  for (const MemoryChange& change : changes_between(before, after)) {
    const bool is_new = !before.contains(change.path);
    out += fmt::format("--- {}\n+++ {}\n{}", is_new ? "/dev/null" : "a/" + change.path,
                       change.text ? "b/" + change.path : "/dev/null",
                       unified_diff(text_of(before, change.path), text_of(after, change.path)));
  }
  return out;
}

}  // namespace hearth::session
