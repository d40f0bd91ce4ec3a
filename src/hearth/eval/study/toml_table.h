#pragma once
// Reading a table of a TOML file field by field: kinds and ranges checked, unknown keys refused, every
// message with its line. Pure; one use, one table.

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hearth/base/toml.h"

namespace hearth::eval {

class TomlTable {
 public:
  // `file` and `table` outlive it. `where`: "[judge]", for messages.
  TomlTable(const Json& table, std::string_view file, std::string where) : table_(table), file_(file), where_(std::move(where)) {}

  std::string text(std::string_view key, std::string fallback = {}) {
    const Json* found = take(key);
    if (!found) return fallback;
    if (!found->is_string()) return problem(key, "expected a text"), fallback;
    return found->as_string();
  }
  std::optional<double> number(std::string_view key, double low, double high) {
    const Json* found = take(key);
    if (!found) return {};
    if (!found->is_number() || !(found->as_double() >= low && found->as_double() <= high)) {
      return problem(key, fmt::format("expected a number from {} to {}", low, high)), std::nullopt;
    }
    return found->as_double();
  }
  std::optional<std::uint64_t> count(std::string_view key, std::uint64_t low, std::uint64_t high) {
    const Json* found = take(key);
    if (!found) return {};
    if (!found->is_integer() || found->as_integer() < 0 || static_cast<std::uint64_t>(found->as_integer()) < low ||
        static_cast<std::uint64_t>(found->as_integer()) > high) {
      return problem(key, fmt::format("expected a whole number from {} to {}", low, high)), std::nullopt;
    }
    return static_cast<std::uint64_t>(found->as_integer());
  }
  std::optional<bool> toggle(std::string_view key) {
    const Json* found = take(key);
    if (!found) return {};
    if (!found->is_bool()) return problem(key, "expected true or false"), std::nullopt;
    return found->as_bool();
  }
  std::vector<std::string> texts(std::string_view key) {
    std::vector<std::string> out;
    const Json* found = take(key);
    if (!found) return out;
    if (!found->is_array()) return problem(key, "expected a list of texts"), out;
    for (const Json& one : found->as_array()) {
      if (!one.is_string()) return problem(key, "expected a list of texts"), out;
      out.push_back(one.as_string());
    }
    return out;
  }
  const Json* table(std::string_view key) {
    const Json* found = take(key);
    if (found && !found->is_object()) problem(key, "expected a table");
    return found && found->is_object() ? found : nullptr;
  }
  const Json* take(std::string_view key) {
    known_.emplace_back(key);
    return table_.find(key);
  }
  // The first problem is kept.
  void problem(std::string_view key, std::string_view what) {
    if (!problem_.empty()) return;
    problem_ = fmt::format("{}:{}: {} {}: {}", file_, toml_line(table_, key), where_, key, what);
  }
  // After all keys were asked for.
  Result<> finish() {
    for (const Json::Member& member : table_.as_object()) {
      if (member.first == lines_member || std::ranges::find(known_, member.first) != known_.end()) continue;
      problem(member.first, fmt::format("no such key; expected one of {}", fmt::join(known_, ", ")));
    }
    if (problem_.empty()) return {};
    return fail(Code::invalid_argument, problem_);
  }

 private:
  const Json& table_;
  std::string_view file_;
  std::string where_;
  std::vector<std::string> known_;
  std::string problem_;
};

}  // namespace hearth::eval
