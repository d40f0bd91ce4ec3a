#include "hearth/session/memory_files.h"

#include <fmt/format.h>

#include "hearth/base/utf8.h"

namespace hearth::session {
namespace {

bool is_plain(unsigned char c) {
  return c >= 0x20 && c != 0x7F && c != '\\' && c != '"' && c != '<' && c != '>';
}

std::string lower_case(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

Result<> check_name(std::string_view path, std::string_view name) {
  const auto refuse = [&](std::string_view why) {
    return fail(Code::invalid_argument, fmt::format("{}: {}", replace_invalid_utf8(path), why));
  };
  if (name.empty()) return refuse("has an empty name in it; write a path such as notes/family.md");
  if (name.front() == '.') return refuse("has a name that begins with a dot; such files are never memory");
  for (const char c : name) {
    if (!is_plain(static_cast<unsigned char>(c))) {
      return refuse("has a control character, quote, angle bracket or backslash in its name; rename it");
    }
  }
  return {};
}

}  // namespace

Digest256 digest_of(const MemoryFiles& files) {
  Blake2b hash;
  for (const auto& [path, text] : files) hash.update_sized(path).update_sized(text);
  return hash.finish();
}

std::vector<MemoryChange> changes_between(const MemoryFiles& before, const MemoryFiles& after) {
  std::vector<MemoryChange> out;
  auto old = before.begin();
  auto now = after.begin();
  while (old != before.end() || now != after.end()) {
    if (now == after.end() || (old != before.end() && old->first < now->first)) {
      out.push_back({old->first, std::nullopt});
      ++old;
    } else if (old == before.end() || now->first < old->first) {
      out.push_back({now->first, now->second});
      ++now;
    } else {
      if (old->second != now->second) out.push_back({now->first, now->second});
      ++old;
      ++now;
    }
  }
  return out;
}

void apply_changes(MemoryFiles& files, const std::vector<MemoryChange>& changes) {
  for (const MemoryChange& change : changes) {
    if (change.text) files[change.path] = *change.text;
    else files.erase(change.path);
  }
}

Result<> check_memory_path(std::string_view path) {
  const std::string shown = replace_invalid_utf8(path.substr(0, memory_path_bytes_max));
  if (path.empty()) return fail(Code::invalid_argument, "an empty path; write one such as notes/family.md");
  if (path.size() > memory_path_bytes_max) {
    return fail(Code::invalid_argument, fmt::format("{}...: the path has {} bytes, at most {} are allowed",
                                                    shown.substr(0, 40), path.size(), memory_path_bytes_max));
  }
  if (!is_valid_utf8(path)) return fail(Code::invalid_argument, shown + ": the name is not UTF-8; rename it");
  std::size_t depth = 1;
  for (std::size_t begin = 0;; ++depth) {
    const std::size_t end = path.find('/', begin);
    TRY(check_name(path, path.substr(begin, end == std::string_view::npos ? end : end - begin)));
    if (end == std::string_view::npos) break;
    begin = end + 1;
  }
  if (depth > memory_depth_max) {
    return fail(Code::invalid_argument, fmt::format("{}: more than {} folders deep", shown, memory_depth_max));
  }
  return {};
}

Result<> check_memory_text(std::string_view path, std::string_view text) {
  if (text.size() > memory_file_bytes_max) {
    return fail(Code::resource_exhausted,
                fmt::format("{}: {} bytes, a memory file has at most {}; split it, or move it out of the folder",
                            path, text.size(), memory_file_bytes_max));
  }
  if (text.find('\0') != std::string_view::npos) {
    return fail(Code::invalid_argument,
                fmt::format("{}: is binary, memory is plain text; move it out of the folder, or put a dot before "
                            "its name", path));
  }
  if (const std::size_t bad = find_invalid_utf8(text); bad != std::string_view::npos) {
    return fail(Code::invalid_argument,
                fmt::format("{}: is not UTF-8 at byte {}; convert it with iconv, or move it out of the folder",
                            path, bad));
  }
  return {};
}

Result<> check_memory_files(const MemoryFiles& files) {
  if (files.size() > memory_files_max) {
    return fail(Code::resource_exhausted, fmt::format("{} memory files, at most {} are read; join or move some",
                                                      files.size(), memory_files_max));
  }
  std::size_t bytes = 0;
  std::map<std::string, const std::string*> by_lower_case;
  for (const auto& [path, text] : files) {
    bytes += text.size();
    const auto [same, added] = by_lower_case.emplace(lower_case(path), &path);
    if (!added) {
      return fail(Code::invalid_argument, fmt::format("{} and {}: differ only in case, which some disks take for "
                                                      "one file; rename one", *same->second, path));
    }
  }
  if (bytes > memory_bytes_max) {
    return fail(Code::resource_exhausted, fmt::format("{} bytes of memory, at most {} are read; move some out",
                                                      bytes, memory_bytes_max));
  }
  return {};
}

}  // namespace hearth::session
