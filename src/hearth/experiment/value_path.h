#pragma once
// Where a number or a word stands in the result of a step, and conditions on such values: what
// gates and predictions are made of. Pure. The text is the user's: parsing never trusts it.
//
//   baseline.rows[0].ttft_ms                 step, then members and items
//   plan.plans[family=alone].decode_tok_s    the first item whose member has that value; [a=1,b=2]: both
//   sweep.ok == true                         ==, !=, <, <=, >, >=
//   full.rows[0].decode_tok_s > 1.05 * baseline.rows[0].decode_tok_s
//
// A value that is not there makes a condition unknown, which is neither true nor false.

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "hearth/base/json.h"

namespace hearth::experiment {

inline constexpr std::size_t condition_bytes_max = 1024;

struct ValuePath {
  struct Member {
    std::string name;
  };
  struct Item {
    std::size_t index = 0;
  };
  struct ItemWith {
    std::vector<std::pair<std::string, std::string>> members;  // names and values: all must be so
  };
  using Part = std::variant<Member, Item, ItemWith>;

  std::string step;
  std::vector<Part> parts;
  std::string text;  // as it was written

  static Result<ValuePath> parse(std::string_view text);
};

// The result of a step by its name; nullptr where there is none (yet).
using FindResult = std::function<const Json*(std::string_view step)>;

const Json* find_value(const ValuePath& path, const FindResult& results);

struct Condition {
  enum class Operator : std::uint8_t { equal, not_equal, less, less_or_equal, greater, greater_or_equal };
  // factor * path, or a literal.
  struct Operand {
    std::variant<Json, ValuePath> value;
    double factor = 1;
  };
  Operand left, right;
  Operator compare = Operator::equal;
  std::string text;

  static Result<Condition> parse(std::string_view text);
  // One side alone: "1000 * plan.plans[0].ttft_s.p50".
  static Result<Operand> parse_operand(std::string_view text);
};

// The number that an operand stands for; nothing where it is not known or no number.
std::optional<double> number_in(const Condition::Operand& operand, const FindResult& results);

struct Judgement {
  std::optional<bool> holds;  // absent: a value is missing, or the two cannot be compared
  std::string why;            // "baseline.rows[0].ttft_ms is 812, which is not < 500"
};

Judgement judge(const Condition& condition, const FindResult& results);

// The steps that it names.
std::vector<std::string> steps_of(const Condition& condition);

}  // namespace hearth::experiment
