#include "hearth/experiment/condition.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace hearth::experiment {
namespace {

constexpr std::array<std::string_view, 6> operators = {"<=", ">=", "==", "!=", "<", ">"};
constexpr const char* example = "bench:rows[target=split,prompt_tokens=2048].ttft_ms <= 1.1 * bench:rows[target=worker].ttft_ms";

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

std::optional<double> number_of(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) return std::nullopt;
  return value;
}

std::unexpected<Error> bad(std::string_view what) {
  return fail(Code::invalid_argument, fmt::format("{}; a condition is like \"{}\"", what, example));
}

// "[3]" or "[key=value,key=value]" without its brackets.
Result<> read_brackets(std::string_view text, PathStep& out) {
  std::size_t index = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), index);
  if (error == std::errc() && end == text.data() + text.size()) {
    out.index = index;
    return {};
  }
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t comma = std::min(text.find(',', begin), text.size());
    const std::string_view item = text.substr(begin, comma - begin);
    const std::size_t equals = item.find('=');
    if (equals == std::string_view::npos || equals == 0) return bad(fmt::format("[{}] is neither an index nor KEY=VALUE", text));
    out.where.emplace_back(trimmed(item.substr(0, equals)), trimmed(item.substr(equals + 1)));
    begin = comma + 1;
  }
  return {};
}

Result<std::vector<PathStep>> parse_path(std::string_view text) {
  std::vector<PathStep> out;
  for (std::size_t begin = 0; begin < text.size();) {
    PathStep step;
    std::size_t at = text.find_first_of(".[", begin);
    step.member = text.substr(begin, std::min(at, text.size()) - begin);
    if (at != std::string_view::npos && text[at] == '[') {
      const std::size_t close = text.find(']', at);
      if (close == std::string_view::npos) return bad(fmt::format("'{}' has no ]", text));
      TRY(read_brackets(text.substr(at + 1, close - at - 1), step));
      at = close + 1 == text.size() ? std::string_view::npos : close + 1;
      if (at != std::string_view::npos && text[at] != '.') return bad(fmt::format("'{}': expected . after ]", text));
    }
    if (step.member.empty() && !step.index && step.where.empty()) return bad(fmt::format("'{}' has an empty name", text));
    out.push_back(std::move(step));
    if (at == std::string_view::npos) break;
    begin = at + 1;
    if (begin == text.size()) return bad(fmt::format("'{}' ends in a dot", text));
  }
  if (out.empty()) return bad("a place has no path");
  return out;
}

Result<Side> parse_side(std::string_view text) {
  text = trimmed(text);
  Side out;
  if (const auto number = number_of(text)) {
    out.factor = *number;
    return out;
  }
  if (const std::size_t times = text.find('*'); times != std::string_view::npos) {
    const auto factor = number_of(trimmed(text.substr(0, times)));
    if (!factor) return bad(fmt::format("'{}': expected a number before *", text));
    out.factor = *factor;
    text = trimmed(text.substr(times + 1));
  }
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos || colon == 0) return bad(fmt::format("'{}' is neither a number nor STEP:PATH", text));
  out.step = text.substr(0, colon);
  out.path = TRY(parse_path(text.substr(colon + 1)));
  return out;
}

std::string text_of(const Json& value) { return value.is_string() ? value.as_string() : dump_json(value); }

bool has_members(const Json& item, const PathStep& step) {
  return std::ranges::all_of(step.where, [&](const auto& wanted) {
    const Json* member = item.find(wanted.first);
    return member != nullptr && text_of(*member) == wanted.second;
  });
}

const Json* pick(const Json* at, const PathStep& step) {
  if (!step.member.empty()) at = at->find(step.member);
  if (at == nullptr || (!step.index && step.where.empty())) return at;
  if (!at->is_array()) return nullptr;
  const auto& items = at->as_array();
  if (step.index) return *step.index < items.size() ? &items[*step.index] : nullptr;
  const auto found = std::ranges::find_if(items, [&](const Json& item) { return has_members(item, step); });
  return found == items.end() ? nullptr : &*found;
}

std::optional<double> value_of(const Json& value) {
  if (value.is_number()) return value.as_double();
  if (value.is_bool()) return value.as_bool() ? 1 : 0;
  if (value.is_array()) return static_cast<double>(value.as_array().size());
  return std::nullopt;
}

// Nothing, with the reason in `why`.
std::optional<double> find_value(const Side& side, const Results& results, std::string& why) {
  if (side.step.empty()) return side.factor;
  const auto result = results.find(side.step);
  if (result == results.end()) {
    why = fmt::format("step {} has no result", side.step);
    return std::nullopt;
  }
  const Json* at = &result->second;
  for (const PathStep& step : side.path) {
    at = pick(at, step);
    if (at == nullptr) break;
  }
  const auto value = at == nullptr ? std::nullopt : value_of(*at);
  if (!value) why = fmt::format("step {} told no such number", side.step);
  return value ? std::optional(*value * side.factor) : std::nullopt;
}

bool compare(double left, std::string_view how, double right) {
  if (how == "<") return left < right;
  if (how == "<=") return left <= right;
  if (how == ">") return left > right;
  if (how == ">=") return left >= right;
  return (left == right) == (how == "==");
}

}  // namespace

std::string_view outcome_name(Outcome outcome) {
  switch (outcome) {
    case Outcome::holds: return "holds";
    case Outcome::fails: return "fails";
    case Outcome::unknown: return "unknown";
  }
  return "unknown";
}

Result<Condition> parse_condition(std::string_view text) {
  if (text.size() > condition_bytes_max) return bad("too long");
  // Outside of brackets: [a=b] compares nothing.
  int depth = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '[') ++depth;
    if (text[i] == ']') --depth;
    if (depth != 0) continue;
    for (const std::string_view how : operators) {
      if (!text.substr(i).starts_with(how)) continue;
      Condition out{.text = std::string(text), .left = {}, .right = {}, .compare = std::string(how)};
      out.left = TRY(parse_side(text.substr(0, i)));
      out.right = TRY(parse_side(text.substr(i + how.size())));
      return out;
    }
  }
  return bad(fmt::format("'{}' compares nothing", text));
}

Judgement judge(const Condition& condition, const Results& results) {
  Judgement out;
  out.left = find_value(condition.left, results, out.why);
  out.right = find_value(condition.right, results, out.why);
  if (!out.left || !out.right) return out;
  out.outcome = compare(*out.left, condition.compare, *out.right) ? Outcome::holds : Outcome::fails;
  out.why = fmt::format("{:.6g} {} {:.6g}", *out.left, condition.compare, *out.right);
  return out;
}

}  // namespace hearth::experiment
