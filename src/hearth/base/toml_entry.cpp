#include "hearth/base/toml_entry.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "hearth/base/toml.h"

namespace hearth {
namespace {
constexpr double integer_exact_max = 9007199254740992.0;  // 2^53: doubles count exactly up to here
}

TomlEntry::TomlEntry(const Json& table, std::string_view file, std::string_view label, TomlProblems& problems)
    : table_(table), problems_(problems) {
  std::string name;
  for (const std::string_view key : {"key", "id", "name"}) {
    const Json* value = table.find(key);
    if (value && value->is_string()) {
      name = fmt::format(" '{}'", value->as_string());
      break;
    }
  }
  const std::int64_t line = toml_line(table);
  where_ = line > 0 ? fmt::format("{}:{}: {}{}", file, line, label, name)
                    : fmt::format("{}: {}{}", file, label, name);
  taken_.emplace_back(lines_member);
}

const Json* TomlEntry::take(std::string_view key) {
  taken_.emplace_back(key);
  return table_.find(key);
}

void TomlEntry::problem(std::string_view what) {
  problems_.push_back(fmt::format("{}: {}", where_, what));
}

std::string TomlEntry::text(std::string_view key) {
  const Json* value = take(key);
  if (!value) {
    problem(fmt::format("'{}' is missing; write {} = \"…\"", key, key));
    return "";
  }
  if (!value->is_string() || value->as_string().empty()) {
    problem(fmt::format("{}: expected text, got {}", key, dump_json(*value)));
    return "";
  }
  return value->as_string();
}

std::string TomlEntry::text_or(std::string_view key, std::string fallback) {
  const Json* value = take(key);
  if (!value) return fallback;
  if (!value->is_string()) {
    problem(fmt::format("{}: expected text, got {}", key, dump_json(*value)));
    return fallback;
  }
  return value->as_string();
}

bool TomlEntry::flag_or(std::string_view key, bool fallback) {
  const Json* value = take(key);
  if (!value) return fallback;
  if (!value->is_bool()) {
    problem(fmt::format("{}: expected true or false, got {}", key, dump_json(*value)));
    return fallback;
  }
  return value->as_bool();
}

std::optional<double> TomlEntry::number(std::string_view key, NumberRange range) {
  const Json* value = take(key);
  if (!value) return std::nullopt;
  if (!value->is_number()) {
    problem(fmt::format("{}: expected a number, got {}", key, dump_json(*value)));
    return std::nullopt;
  }
  const double number = value->as_double();
  if (!std::isfinite(number) || number < range.low || number > range.high) {
    problem(fmt::format("{} = {}: expected {:g} to {:g}", key, number, range.low, range.high));
    return std::nullopt;
  }
  return number;
}

double TomlEntry::number_required(std::string_view key, NumberRange range) {
  if (!has(key)) {
    taken_.emplace_back(key);
    problem(fmt::format("'{}' is missing; write {} = NUMBER ({:g} to {:g})", key, key, range.low,
                        range.high));
    return range.low;
  }
  return number(key, range).value_or(range.low);
}

std::optional<double> TomlEntry::whole(std::string_view key, NumberRange range) {
  const std::optional<double> value = number(key, range);
  if (value && (*value != std::floor(*value) || *value > integer_exact_max)) {
    problem(fmt::format("{} = {}: expected a whole number", key, *value));
    return std::nullopt;
  }
  return value;
}

std::vector<std::string> TomlEntry::strings(std::string_view key) {
  const Json* value = take(key);
  std::vector<std::string> out;
  if (!value) return out;
  const bool good = value->is_array() && std::ranges::all_of(value->as_array(), [](const Json& v) {
                      return v.is_string();
                    });
  if (!good) {
    problem(fmt::format("{}: expected a list of texts like [\"a\", \"b\"]", key));
    return out;
  }
  for (const Json& item : value->as_array()) out.push_back(item.as_string());
  return out;
}

std::vector<const Json*> TomlEntry::tables(std::string_view key) {
  const Json* value = take(key);
  std::vector<const Json*> out;
  if (!value) return out;
  const bool good = value->is_array() && std::ranges::all_of(value->as_array(), [](const Json& v) {
                      return v.is_object();
                    });
  if (!good) {
    problem(fmt::format("{}: expected tables, each under [[{}]]", key, key));
    return out;
  }
  for (const Json& item : value->as_array()) out.push_back(&item);
  return out;
}

void TomlEntry::informative(std::initializer_list<std::string_view> keys) {
  for (const std::string_view key : keys) taken_.emplace_back(key);
}

void TomlEntry::finish() {
  for (const auto& [key, value] : table_.as_object()) {
    if (std::ranges::find(taken_, key) != taken_.end()) continue;
    std::string known;
    for (const std::string& name : taken_) {
      if (name != lines_member) known += (known.empty() ? "" : ", ") + name;
    }
    problem(fmt::format("unknown key '{}'; known are: {}", key, known));
  }
}

}  // namespace hearth
