#include "hearth/eval/grading/structured.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "hearth/eval/grading/extract.h"
#include "hearth/eval/grading/final_answer.h"

namespace hearth::eval {
namespace {

struct Tally {
  double matched = 0, leaves = 0;
  Tally& operator+=(const Tally& other) {
    matched += other.matched;
    leaves += other.leaves;
    return *this;
  }
  double share() const { return leaves > 0 ? matched / leaves : 1; }
};

double leaf_count(const Json& value) {
  double out = 0;
  if (value.is_array()) {
    for (const Json& one : value.as_array()) out += leaf_count(one);
  } else if (value.is_object()) {
    for (const auto& [key, one] : value.as_object()) out += leaf_count(one);
  } else {
    return 1;
  }
  return std::max(out, 1.0);  // an empty list is something to get right
}

// "days.*.hours" names "days.3.hours".
bool path_matches(std::string_view pattern, std::string_view path) {
  while (true) {
    const std::size_t a = pattern.find('.'), b = path.find('.');
    if (const auto step = pattern.substr(0, a); step != "*" && step != path.substr(0, b)) return false;
    if (a == std::string_view::npos || b == std::string_view::npos) return a == b;
    pattern.remove_prefix(a + 1);
    path.remove_prefix(b + 1);
  }
}

class Comparison {
 public:
  explicit Comparison(const StructuredSpec& spec) : spec_(spec) {}

  Tally compare(const Json& expected, const Json& given, const std::string& path) const {
    if (expected.is_object()) return tables(expected, given, path);
    if (expected.is_array()) return lists(expected, given, path);
    return {is_same_leaf(expected, given, path) ? 1.0 : 0.0, 1};
  }

 private:
  static bool has(const std::vector<std::string>& patterns, std::string_view path) {
    return std::ranges::any_of(patterns, [&](const std::string& pattern) { return path_matches(pattern, path); });
  }
  static std::string below(const std::string& path, std::string_view step) {
    return path.empty() ? std::string(step) : fmt::format("{}.{}", path, step);
  }

  bool is_same_leaf(const Json& expected, const Json& given, const std::string& path) const {
    if (expected.is_number()) {
      const auto number = given.is_number()   ? std::optional(given.as_double())
                          : given.is_string() ? plain_number(given.as_string())
                                              : std::nullopt;
      return number && is_close(*number, expected.as_double(), spec_.tolerance);
    }
    if (expected.is_string()) {
      const std::string text = given.is_string() ? given.as_string() : given.is_number() ? dump_json(given) : std::string();
      return has(spec_.case_counts, path) ? expected.as_string() == text : normal_text(expected.as_string()) == normal_text(text);
    }
    return expected == given;
  }

  Tally tables(const Json& expected, const Json& given, const std::string& path) const {
    if (!given.is_object()) return {0, leaf_count(expected)};
    Tally out;
    for (const auto& [key, value] : expected.as_object()) {
      const Json* other = given.find(key);
      out += other != nullptr ? compare(value, *other, below(path, key)) : Tally{0, leaf_count(value)};
    }
    for (const auto& [key, value] : given.as_object()) {
      if (expected.find(key) == nullptr) out.leaves += 1;
    }
    if (expected.as_object().empty() && given.as_object().empty()) out = {1, 1};
    return out;
  }

  Tally lists(const Json& expected, const Json& given, const std::string& path) const {
    if (!given.is_array()) return {0, leaf_count(expected)};
    if (expected.as_array().empty() && given.as_array().empty()) return {1, 1};
    return has(spec_.ordered, path) ? in_order(expected.as_array(), given.as_array(), path)
                                    : as_sets(expected.as_array(), given.as_array(), path);
  }

  Tally in_order(const Json::Array& expected, const Json::Array& given, const std::string& path) const {
    Tally out;
    for (std::size_t i = 0; i < std::max(expected.size(), given.size()); ++i) {
      if (i >= expected.size()) {
        out.leaves += leaf_count(given[i]);
      } else {
        out += i < given.size() ? compare(expected[i], given[i], below(path, std::to_string(i))) : Tally{0, leaf_count(expected[i])};
      }
    }
    return out;
  }

  // Each expected element takes the given one that fits it best; the surest choose first.
  Tally as_sets(const Json::Array& expected, const Json::Array& given, const std::string& path) const {
    struct Pair {
      Tally tally;
      std::size_t expected, given;
    };
    constexpr std::size_t elements_max = 512;
    if (expected.size() > elements_max || given.size() > elements_max) return {0, static_cast<double>(expected.size())};
    std::vector<Pair> pairs;
    for (std::size_t i = 0; i < expected.size(); ++i) {
      for (std::size_t j = 0; j < given.size(); ++j) pairs.push_back({compare(expected[i], given[j], below(path, "*")), i, j});
    }
    std::ranges::stable_sort(pairs, std::ranges::greater{}, [](const Pair& pair) { return pair.tally.share(); });
    std::vector<bool> expected_taken(expected.size()), given_taken(given.size());
    Tally out;
    for (const Pair& pair : pairs) {
      if (expected_taken[pair.expected] || given_taken[pair.given] || pair.tally.matched == 0) continue;
      expected_taken[pair.expected] = given_taken[pair.given] = true;
      out += pair.tally;
    }
    for (std::size_t i = 0; i < expected.size(); ++i) out.leaves += expected_taken[i] ? 0 : leaf_count(expected[i]);
    for (std::size_t j = 0; j < given.size(); ++j) out.leaves += given_taken[j] ? 0 : leaf_count(given[j]);
    return out;
  }

  const StructuredSpec& spec_;
};

std::string shortened(const Json& value) {
  constexpr std::size_t shown_max = 80;
  std::string text = dump_json(value);
  return text.size() > shown_max ? text.substr(0, shown_max) + "…" : text;
}

}  // namespace

bool is_close(double a, double b, double tolerance) {
  return std::abs(a - b) <= tolerance * std::max(std::abs(b), b == 0 ? 1.0 : 0.0);
}

Grade grade_structured(const StructuredSpec& spec, const Json& given) {
  const Comparison comparison(spec);
  Grade out;
  if (!spec.expected.is_object() || !given.is_object()) {
    const double share = comparison.compare(spec.expected, given, "").share();
    out.score = share;
    out.parts.push_back({"whole", 1, share, share == 1 ? "" : "got " + shortened(given)});
    return out;
  }
  Tally total;
  for (const auto& [key, value] : spec.expected.as_object()) {
    const Json* other = given.find(key);
    const Tally part = other != nullptr ? comparison.compare(value, *other, key) : Tally{0, leaf_count(value)};
    total += part;
    out.parts.push_back({key, part.leaves, part.share(), part.share() == 1 ? "" : other == nullptr ? "missing" : "got " + shortened(*other)});
  }
  for (const auto& [key, value] : given.as_object()) {
    if (spec.expected.find(key) != nullptr) continue;
    total.leaves += 1;
    out.parts.push_back({key, 1, 0, "not asked for"});
  }
  out.score = total.share();
  return out;
}

bool is_same_value(const Json& a, const Json& b, double tolerance) {
  if (a.is_number() && b.is_number()) return is_close(b.as_double(), a.as_double(), tolerance);
  if (a.is_array() && b.is_array()) {
    return std::ranges::equal(a.as_array(), b.as_array(), [&](const Json& x, const Json& y) { return is_same_value(x, y, tolerance); });
  }
  if (a.is_object() && b.is_object()) {
    return a.as_object().size() == b.as_object().size() && std::ranges::all_of(a.as_object(), [&](const Json::Member& member) {
             const Json* other = b.find(member.first);
             return other != nullptr && is_same_value(member.second, *other, tolerance);
           });
  }
  return a == b;
}

}  // namespace hearth::eval
