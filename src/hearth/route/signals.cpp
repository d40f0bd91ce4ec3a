#include "hearth/route/signals.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <filesystem>

namespace hearth::route {
namespace {

constexpr std::size_t client_bytes_max = 64;
constexpr std::size_t folder_bytes_max = 4096;

struct Product {
  std::string_view prefix, client;
};
constexpr std::array products = {Product{"claude-cli", "claude-code"}, Product{"claude-code", "claude-code"},
                                 Product{"codex", "codex"}, Product{"opencode", "opencode"}};

// Claude Code; Codex; opencode.
constexpr std::array<std::string_view, 4> folder_marks = {"Primary working directory: ", "Working directory: ", "<cwd>",
                                                          "working directory: "};

std::string normal(std::string_view folder) {
  std::string out = std::filesystem::path(folder).lexically_normal().string();
  while (out.size() > 1 && out.ends_with('/')) out.pop_back();
  return out;
}

}  // namespace

std::string_view signal_name(Signal signal) {
  switch (signal) {
    case Signal::key: return "key";
    case Signal::header: return "header";
    case Signal::model: return "model";
    case Signal::client: return "client";
    case Signal::folder: return "folder";
    case Signal::marker: return "marker";
    case Signal::session: return "session";
    case Signal::none: return "none";
  }
  return "";
}

std::string client_of_user_agent(std::string_view user_agent) {
  std::string word(user_agent.substr(0, user_agent.find_first_of("/ (")));
  word.resize(std::min(word.size(), client_bytes_max));
  for (char& c : word) {
    c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    const bool plain = std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '.' || c == '_';
    if (!plain) c = '_';
  }
  for (const Product& product : products) {
    if (word.starts_with(product.prefix)) return std::string(product.client);
  }
  return word;
}

std::string folder_in_text(std::string_view system_text) {
  for (const std::string_view mark : folder_marks) {
    const auto at = system_text.find(mark);
    if (at == system_text.npos) continue;
    std::string_view rest = system_text.substr(at + mark.size());
    rest = rest.substr(0, std::min(rest.find_first_of("\r\n<"), folder_bytes_max));
    while (rest.ends_with(' ')) rest.remove_suffix(1);
    if (rest.starts_with('/')) return std::string(rest);
  }
  return {};
}

bool matches(std::string_view pattern, std::string_view text) {
  std::size_t p = 0, t = 0, star = pattern.npos, retry = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      retry = t;
    } else if (p < pattern.size() && pattern[p] == text[t]) {
      ++p;
      ++t;
    } else if (star != pattern.npos) {
      p = star + 1;
      t = ++retry;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

bool is_within(std::string_view folder, std::string_view rule) {
  if (!folder.starts_with('/') || !rule.starts_with('/')) return false;
  const std::string inner = normal(folder), outer = normal(rule);
  if (outer == "/") return true;
  return inner.starts_with(outer) && (inner.size() == outer.size() || inner[outer.size()] == '/');
}

}  // namespace hearth::route
