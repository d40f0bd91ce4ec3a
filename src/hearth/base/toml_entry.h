#pragma once
// Reads one table of a TOML file that people write: each key once, with its kind and range, and
// complains about every key nobody asked for. TomlProblems are collected, so that one look at a file
// shows them all.

#include <initializer_list>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hearth/base/json.h"

namespace hearth {

using TomlProblems = std::vector<std::string>;

// Inclusive bounds of a number; the unit is in the key's name.
struct NumberRange {
  double low = 0;
  double high = std::numeric_limits<double>::max();
};

class TomlEntry {
 public:
  // `label` names the entry in messages: "machine". Its key, name or id is added when present.
  TomlEntry(const Json& table, std::string_view file, std::string_view label, TomlProblems& problems);

  std::string text(std::string_view key);  // required, not empty
  std::string text_or(std::string_view key, std::string fallback = "");
  bool flag_or(std::string_view key, bool fallback);
  std::optional<double> number(std::string_view key, NumberRange range);
  double number_required(std::string_view key, NumberRange range);
  std::vector<std::string> strings(std::string_view key);
  std::vector<const Json*> tables(std::string_view key);  // empty when absent
  template <class T>
  std::optional<T> count(std::string_view key, NumberRange range) {
    const std::optional<double> value = whole(key, range);
    if (!value) return std::nullopt;
    return static_cast<T>(*value);
  }
  template <class T>
  T count_or(std::string_view key, T fallback, NumberRange range) {
    return count<T>(key, range).value_or(fallback);
  }
  bool has(std::string_view key) const { return table_.find(key) != nullptr; }

  // Keys that are kept for readers of the file only.
  void informative(std::initializer_list<std::string_view> keys);
  void problem(std::string_view what);
  // Call last: names the keys that no call above asked for.
  void finish();

 private:
  const Json* take(std::string_view key);
  std::optional<double> whole(std::string_view key, NumberRange range);
  const Json& table_;
  std::string where_;
  TomlProblems& problems_;
  std::vector<std::string> taken_;
};

}  // namespace hearth
