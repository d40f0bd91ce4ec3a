#pragma once
// A comparison of two numbers out of the results of steps. Pure.
//
//   "bench:rows[target=split,prompt_tokens=2048].ttft_ms <= 1.1 * bench:rows[target=worker,prompt_tokens=2048].ttft_ms"
//
// A side is a number, a place in a step's document, or a number times a place. A place is STEP:PATH, a
// path is member names with [INDEX] or [KEY=VALUE,…], which picks the first item with these members.
// Booleans count as 1 and 0, a list as its length. Operators: < <= > >= == !=.

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hearth/base/json.h"
#include "hearth/base/result.h"

namespace hearth::experiment {

inline constexpr std::size_t condition_bytes_max = 4'096;

struct PathStep {
  std::string member;  // empty: the list itself is picked from
  std::optional<std::size_t> index;
  std::vector<std::pair<std::string, std::string>> where;
  bool operator==(const PathStep&) const = default;
};

struct Side {
  double factor = 1;  // the number itself when there is no place
  std::string step;   // empty: a number
  std::vector<PathStep> path;
  bool operator==(const Side&) const = default;
};

struct Condition {
  std::string text;  // as written
  Side left, right;
  std::string compare;
  bool operator==(const Condition&) const = default;
};

// invalid_argument says what was not understood, with an example.
Result<Condition> parse_condition(std::string_view text);

// Documents of steps that are done, by name.
using Results = std::map<std::string, Json, std::less<>>;

enum class Outcome : std::uint8_t { holds, fails, unknown };
std::string_view outcome_name(Outcome outcome);

struct Judgement {
  Outcome outcome = Outcome::unknown;
  std::optional<double> left, right;
  std::string why;  // "12.3 < 20", or what is missing
};
Judgement judge(const Condition& condition, const Results& results);

}  // namespace hearth::experiment
