#include "hearth/experiment/value_path.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace hearth::experiment {
namespace {

using Operator = Condition::Operator;

struct NamedOperator {
  std::string_view text;
  Operator compare;
};
// Longer ones first.
constexpr std::array<NamedOperator, 6> operators = {{{"==", Operator::equal},
                                                     {"!=", Operator::not_equal},
                                                     {"<=", Operator::less_or_equal},
                                                     {">=", Operator::greater_or_equal},
                                                     {"<", Operator::less},
                                                     {">", Operator::greater}}};

bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

std::optional<double> number_of(std::string_view text) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::string_view take_name(std::string_view& text) {
  std::size_t length = 0;
  while (length < text.size() && is_name_character(text[length])) ++length;
  const std::string_view name = text.substr(0, length);
  text.remove_prefix(length);
  return name;
}

std::unexpected<Error> bad(std::string_view text, std::string_view what) {
  return fail(Code::invalid_argument,
              fmt::format("\"{}\": {}; for example baseline.rows[0].ttft_ms < 2000, or plan.verdict.go == true", text, what));
}

// "a=1,b=2"
std::optional<ValuePath::ItemWith> parse_members(std::string_view text) {
  ValuePath::ItemWith out;
  while (!text.empty()) {
    const std::size_t comma = std::min(text.find(','), text.size());
    std::string_view one = text.substr(0, comma);
    const std::string_view name = take_name(one);
    if (name.empty() || !one.starts_with('=') || one.size() < 2) return std::nullopt;
    out.members.emplace_back(name, one.substr(1));
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  return out;
}

// "[3]" or "[family=alone]", without its brackets.
Result<ValuePath::Part> parse_item(std::string_view inside, std::string_view whole) {
  if (inside.find('=') != std::string_view::npos) {
    if (auto with = parse_members(inside)) return *std::move(with);
    return bad(whole, "expected [NUMBER] or [MEMBER=VALUE]");
  }
  std::size_t index = 0;
  const auto [end, error] = std::from_chars(inside.data(), inside.data() + inside.size(), index);
  if (inside.empty() || error != std::errc() || end != inside.data() + inside.size()) {
    return bad(whole, "expected [NUMBER] or [MEMBER=VALUE]");
  }
  return ValuePath::Item{index};
}

std::string plain_text(const Json& value) { return value.is_string() ? value.as_string() : dump_json(value); }

// As people read it: six digits are enough.
std::string shown(const Json& value) {
  if (!value.is_number() || value.is_integer()) return plain_text(value);
  const double number = value.as_double();
  return std::abs(number) <= 1e15 && number == std::floor(number) ? fmt::format("{:.0f}", number) : fmt::format("{:.6g}", number);
}

const Json* item_with(const Json& list, const ValuePath::ItemWith& wanted) {
  const auto& items = list.as_array();
  const auto found = std::ranges::find_if(items, [&](const Json& item) {
    return std::ranges::all_of(wanted.members, [&](const auto& one) {
      const Json* member = item.find(one.first);
      return member != nullptr && plain_text(*member) == one.second;
    });
  });
  return found == items.end() ? nullptr : &*found;
}

const Json* step_into(const Json& value, const ValuePath::Part& part) {
  if (const auto* member = std::get_if<ValuePath::Member>(&part)) return value.find(member->name);
  if (!value.is_array()) return nullptr;
  if (const auto* with = std::get_if<ValuePath::ItemWith>(&part)) return item_with(value, *with);
  const std::size_t index = std::get<ValuePath::Item>(part).index;
  return index < value.as_array().size() ? &value.as_array()[index] : nullptr;
}

Result<Condition::Operand> operand_of(std::string_view text, std::string_view whole) {
  Condition::Operand out;
  text = trimmed(text);
  if (const std::size_t times = text.find('*'); times != std::string_view::npos) {
    const auto factor = number_of(trimmed(text.substr(0, times)));
    if (!factor) return bad(whole, "expected a number before *");
    out.factor = *factor;
    text = trimmed(text.substr(times + 1));
    out.value = TRY(ValuePath::parse(text));
    return out;
  }
  if (const auto number = number_of(text)) {
    out.value = Json(*number);
  } else if (text == "true" || text == "false") {
    out.value = Json(text == "true");
  } else if (text.size() >= 2 && text.front() == '"' && text.back() == '"') {
    out.value = Json(text.substr(1, text.size() - 2));
  } else {
    out.value = TRY(ValuePath::parse(text));
  }
  return out;
}

struct Evaluated {
  std::optional<Json> value;
  std::string shown;  // "baseline.x is 812", or the literal
};

Evaluated evaluate(const Condition::Operand& operand, const FindResult& results) {
  if (const Json* literal = std::get_if<Json>(&operand.value)) return {*literal, shown(*literal)};
  const auto& path = std::get<ValuePath>(operand.value);
  const Json* found = find_value(path, results);
  if (found == nullptr || found->is_null()) return {std::nullopt, path.text + " is not known"};
  if (operand.factor == 1) return {*found, fmt::format("{} is {}", path.text, shown(*found))};
  if (!found->is_number()) return {std::nullopt, path.text + " is not a number"};
  const double product = operand.factor * found->as_double();
  return {Json(product), fmt::format("{} × {} is {:.6g}", operand.factor, path.text, product)};
}

std::optional<bool> compare(const Json& left, const Json& right, Operator compare) {
  if (left.is_number() && right.is_number()) {
    const double a = left.as_double(), b = right.as_double();
    switch (compare) {
      case Operator::equal: return a == b;
      case Operator::not_equal: return a != b;
      case Operator::less: return a < b;
      case Operator::less_or_equal: return a <= b;
      case Operator::greater: return a > b;
      case Operator::greater_or_equal: return a >= b;
    }
  }
  const bool are_alike = (left.is_string() && right.is_string()) || (left.is_bool() && right.is_bool());
  if (!are_alike) return std::nullopt;
  if (compare == Operator::equal) return left == right;
  if (compare == Operator::not_equal) return left != right;
  return std::nullopt;
}

std::string_view operator_text(Operator compare) {
  return std::ranges::find(operators, compare, &NamedOperator::compare)->text;
}

// The first operator outside quotes and brackets.
std::optional<std::pair<std::size_t, NamedOperator>> find_operator(std::string_view text) {
  bool is_quoted = false;
  int depth = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '"') is_quoted = !is_quoted;
    if (is_quoted) continue;
    if (text[i] == '[') ++depth;
    if (text[i] == ']') --depth;
    if (depth > 0) continue;
    for (const NamedOperator& one : operators) {
      if (text.substr(i).starts_with(one.text)) return std::pair(i, one);
    }
  }
  return std::nullopt;
}

}  // namespace

Result<ValuePath> ValuePath::parse(std::string_view text) {
  ValuePath out;
  out.text = text;
  if (text.size() > condition_bytes_max) return bad("…", fmt::format("longer than {} bytes", condition_bytes_max));
  std::string_view rest = text;
  out.step = take_name(rest);
  if (out.step.empty()) return bad(text, "expected the name of a step");
  while (!rest.empty()) {
    if (rest.front() == '.') {
      rest.remove_prefix(1);
      const std::string_view name = take_name(rest);
      if (name.empty()) return bad(text, "expected a name after the dot");
      out.parts.emplace_back(Member{std::string(name)});
    } else if (rest.front() == '[') {
      const std::size_t end = rest.find(']');
      if (end == std::string_view::npos) return bad(text, "a [ is not closed");
      out.parts.push_back(TRY(parse_item(rest.substr(1, end - 1), text)));
      rest.remove_prefix(end + 1);
    } else {
      return bad(text, "expected . or [");
    }
  }
  return out;
}

const Json* find_value(const ValuePath& path, const FindResult& results) {
  const Json* value = results(path.step);
  for (const ValuePath::Part& part : path.parts) {
    if (value == nullptr) return nullptr;
    value = step_into(*value, part);
  }
  return value;
}

Result<Condition> Condition::parse(std::string_view text) {
  if (text.size() > condition_bytes_max) return bad("…", fmt::format("longer than {} bytes", condition_bytes_max));
  const auto found = find_operator(text);
  if (!found) return bad(text, "expected ==, !=, <, <=, > or >=");
  Condition out;
  out.text = text;
  out.compare = found->second.compare;
  out.left = TRY(operand_of(text.substr(0, found->first), text));
  out.right = TRY(operand_of(text.substr(found->first + found->second.text.size()), text));
  return out;
}

Result<Condition::Operand> Condition::parse_operand(std::string_view text) {
  if (text.size() > condition_bytes_max) return bad("…", fmt::format("longer than {} bytes", condition_bytes_max));
  return operand_of(text, text);
}

std::optional<double> number_in(const Condition::Operand& operand, const FindResult& results) {
  const Evaluated found = evaluate(operand, results);
  return found.value && found.value->is_number() ? std::optional(found.value->as_double()) : std::nullopt;
}

Judgement judge(const Condition& condition, const FindResult& results) {
  const Evaluated left = evaluate(condition.left, results), right = evaluate(condition.right, results);
  if (!left.value) return {std::nullopt, left.shown};
  if (!right.value) return {std::nullopt, right.shown};
  const auto holds = compare(*left.value, *right.value, condition.compare);
  if (!holds) return {std::nullopt, fmt::format("{} cannot be compared with {}", left.shown, right.shown)};
  return {holds, fmt::format("{}, which is {}{} {}", left.shown, *holds ? "" : "not ", operator_text(condition.compare),
                             right.shown)};
}

std::vector<std::string> steps_of(const Condition& condition) {
  std::vector<std::string> out;
  for (const auto* operand : {&condition.left, &condition.right}) {
    const auto* path = std::get_if<ValuePath>(&operand->value);
    if (path != nullptr && std::ranges::find(out, path->step) == out.end()) out.push_back(path->step);
  }
  return out;
}

}  // namespace hearth::experiment
