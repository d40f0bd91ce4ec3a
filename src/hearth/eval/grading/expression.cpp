#include "hearth/eval/grading/expression.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numbers>

namespace hearth::eval {
namespace {

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_equal(const Json& a, const Json& b) {
  return a.is_number() && b.is_number() ? a.as_double() == b.as_double() : a == b;
}

// Whole results of whole numbers stay whole, so that they print and index as people expect.
Json number(double value) {
  constexpr double exact_max = 9007199254740992.0;
  if (value == std::floor(value) && std::abs(value) < exact_max) return static_cast<std::int64_t>(value);
  return value;
}

// Reads and computes in one pass. With `dry`, reads only: every name exists and has every type.
class Evaluator {
 public:
  Evaluator(std::string_view text, const ExpressionScope& scope, bool dry = false) : text_(text), scope_(scope), dry_(dry) {}

  Result<Json> run() {
    if (text_.size() > expression_bytes_max) return wrong("is too long");
    const Json out = TRY(either());
    if (!at_end()) return wrong("has something left over");
    return out;
  }

  // A path into `state`, to be written to.
  Result<> put(Json value, Json& state) {
    const std::string name = TRY(identifier());
    Json* place = &state;
    std::string step = name;
    while (!at_end()) {
      Json* next = place->find(step);
      if (next == nullptr || !next->is_object()) return fail(Code::not_found, fmt::format("there is no '{}' to put something into", step));
      place = next;
      step = TRY(path_step());
    }
    if (!place->is_object()) return wrong("leads nowhere");
    place->set(step, std::move(value));
    return {};
  }

 private:
  std::unexpected<Error> wrong(std::string_view what) const {
    return fail(Code::invalid_argument, fmt::format("'{}' {} at character {}", text_, what, at_ + 1));
  }
  void skip_spaces() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\n')) ++at_;
  }
  bool at_end() {
    skip_spaces();
    return at_ == text_.size();
  }
  bool take(std::string_view sign) {
    skip_spaces();
    if (!text_.substr(at_).starts_with(sign)) return false;
    const std::size_t end = at_ + sign.size();
    if (is_letter(sign[0]) && end < text_.size() && (is_letter(text_[end]) || is_digit(text_[end]))) return false;
    at_ = end;
    return true;
  }

  Result<Json> either() {
    if (++depth_ > expression_depth_max) return wrong("is nested too deeply");
    Json left = TRY(both());
    while (take("or")) {
      const Json right = TRY(both());
      left = TRY(logic(left, right, /*is_and=*/false));
    }
    --depth_;
    return left;
  }

  Result<Json> both() {
    Json left = TRY(negation());
    while (take("and")) {
      const Json right = TRY(negation());
      left = TRY(logic(left, right, /*is_and=*/true));
    }
    return left;
  }

  Result<Json> logic(const Json& left, const Json& right, bool is_and) {
    if (dry_) return Json(true);
    if (!left.is_bool() || !right.is_bool()) return wrong("joins what is neither true nor false");
    return Json(is_and ? left.as_bool() && right.as_bool() : left.as_bool() || right.as_bool());
  }

  Result<Json> negation() {
    if (!take("not")) return comparison();
    if (++depth_ > expression_depth_max) return wrong("is nested too deeply");
    const Json value = TRY(negation());
    --depth_;
    if (dry_) return Json(true);
    if (!value.is_bool()) return wrong("negates what is neither true nor false");
    return Json(!value.as_bool());
  }

  Result<Json> comparison() {
    const Json left = TRY(sum());
    for (const std::string_view sign : {"==", "!=", "<=", ">=", "<", ">", "in"}) {
      if (!take(sign)) continue;
      const Json right = TRY(sum());
      return compare(left, sign, right);
    }
    return left;
  }

  Result<Json> compare(const Json& left, std::string_view sign, const Json& right) {
    if (dry_) return Json(true);
    if (sign == "==") return Json(is_equal(left, right));
    if (sign == "!=") return Json(!is_equal(left, right));
    if (sign == "in") return contains(right, left);
    if (left.is_string() && right.is_string()) return order(left.as_string().compare(right.as_string()), sign);
    if (!left.is_number() || !right.is_number()) return wrong("orders what has no order");
    const double difference = left.as_double() - right.as_double();
    return order(difference < 0 ? -1 : difference > 0 ? 1 : 0, sign);
  }

  static Json order(int sign_of_difference, std::string_view sign) {
    if (sign == "<") return sign_of_difference < 0;
    if (sign == "<=") return sign_of_difference <= 0;
    if (sign == ">") return sign_of_difference > 0;
    return sign_of_difference >= 0;
  }

  Result<Json> contains(const Json& whole, const Json& part) {
    if (whole.is_array()) return Json(std::ranges::any_of(whole.as_array(), [&](const Json& one) { return is_equal(one, part); }));
    if (whole.is_object() && part.is_string()) return Json(whole.find(part.as_string()) != nullptr);
    return wrong("looks in what is no list and no table");
  }

  Result<Json> sum() {
    Json left = TRY(product());
    while (true) {
      const bool is_plus = take("+");
      if (!is_plus && !take("-")) return left;
      const Json right = TRY(product());
      left = TRY(add(left, right, is_plus));
    }
  }

  Result<Json> add(const Json& left, const Json& right, bool is_plus) {
    if (dry_) return Json(1);
    if (left.is_array() && right.is_array()) return Json(lists(left.as_array(), right.as_array(), is_plus));
    if (is_plus && left.is_string() && right.is_string()) return Json(left.as_string() + right.as_string());
    if (!left.is_number() || !right.is_number()) return wrong("adds what are no numbers");
    return number(is_plus ? left.as_double() + right.as_double() : left.as_double() - right.as_double());
  }

  static Json::Array lists(Json::Array left, const Json::Array& right, bool is_plus) {
    for (const Json& one : right) {
      if (is_plus) {
        left.push_back(one);
      } else if (const auto found = std::ranges::find(left, one); found != left.end()) {
        left.erase(found);
      }
    }
    return left;
  }

  Result<Json> product() {
    Json left = TRY(signed_power());
    while (true) {
      const bool is_times = take("*");
      if (!is_times && !take("/")) return left;
      const Json right = TRY(signed_power());
      if (dry_) continue;
      if (!left.is_number() || !right.is_number()) return wrong("multiplies what are no numbers");
      if (!is_times && right.as_double() == 0) return wrong("divides by zero");
      left = number(is_times ? left.as_double() * right.as_double() : left.as_double() / right.as_double());
    }
  }

  Result<Json> signed_power() {
    if (++depth_ > expression_depth_max) return wrong("is nested too deeply");
    if (take("-")) {
      const Json value = TRY(signed_power());
      --depth_;
      if (dry_) return Json(1);
      if (!value.is_number()) return wrong("has the sign of what is no number");
      return number(-value.as_double());
    }
    (void)take("+");
    Json base = TRY(primary());
    if (take("^")) {
      const Json exponent = TRY(signed_power());
      if (!dry_) {
        if (!base.is_number() || !exponent.is_number()) return wrong("has a power of what is no number");
        const double power = std::pow(base.as_double(), exponent.as_double());
        if (!std::isfinite(power)) return wrong("is no finite number");
        base = number(power);
      }
    }
    --depth_;
    return base;
  }

  Result<Json> primary() {
    skip_spaces();
    if (take("(")) {
      Json inner = TRY(either());
      if (!take(")")) return wrong("lacks a ')'");
      return inner;
    }
    if (take("[")) return Json(TRY(list("]")));
    if (at_ < text_.size() && (text_[at_] == '\'' || text_[at_] == '"')) return quoted();
    if (at_ < text_.size() && (is_digit(text_[at_]) || text_[at_] == '.')) return literal_number();
    const std::string name = TRY(identifier());
    if (name == "true" || name == "false") return Json(name == "true");
    if (name == "nothing") return Json();
    if (take("(")) {
      const Json::Array arguments = TRY(list(")"));
      return call(name, arguments);
    }
    return path(name);
  }

  Result<Json::Array> list(std::string_view end) {
    Json::Array out;
    if (take(end)) return out;
    while (true) {
      out.push_back(TRY(either()));
      if (take(end)) return out;
      if (!take(",")) return wrong(fmt::format("lacks a '{}'", end));
    }
  }

  Result<Json> quoted() {
    const char quote = text_[at_];
    const std::size_t end = text_.find(quote, at_ + 1);
    if (end == std::string_view::npos) return wrong("has a text without an end");
    Json out = std::string(text_.substr(at_ + 1, end - at_ - 1));
    at_ = end + 1;
    return out;
  }

  Result<Json> literal_number() {
    double value = 0;
    const auto [end, error] = std::from_chars(text_.data() + at_, text_.data() + text_.size(), value);
    if (error != std::errc() || !std::isfinite(value)) return wrong("has no number where one begins");
    at_ = static_cast<std::size_t>(end - text_.data());
    return number(value);
  }

  Result<std::string> identifier() {
    skip_spaces();
    const std::size_t start = at_;
    while (at_ < text_.size() && (is_letter(text_[at_]) || (at_ > start && is_digit(text_[at_])))) ++at_;
    if (at_ == start) return wrong("lacks a name or a value");
    return std::string(text_.substr(start, at_ - start));
  }

  Result<std::string> path_step() {
    if (take(".")) return identifier();
    if (!take("[")) return wrong("is no path");
    const Json key = TRY(either());
    if (!take("]")) return wrong("lacks a ']'");
    if (dry_) return std::string();
    if (key.is_string()) return key.as_string();
    if (key.is_integer()) return std::to_string(key.as_integer());
    return wrong("looks up what is no text");
  }

  Result<Json> path(const std::string& name) {
    const Json* value = nullptr;
    if (!dry_) {
      for (const Json* where : {scope_.names, scope_.state}) {
        if (value == nullptr && where != nullptr) value = where->find(name);
      }
      if (value == nullptr && name == "pi") return Json(std::numbers::pi);
      if (value == nullptr) return fail(Code::not_found, fmt::format("there is no '{}'", name));
    }
    while (text_.substr(at_).starts_with('.') || text_.substr(at_).starts_with('[')) {
      const std::string step = TRY(path_step());
      if (dry_) continue;
      const Json* next = value->find(step);
      if (next == nullptr) return fail(Code::not_found, fmt::format("there is no '{}' in '{}'", step, name));
      value = next;
    }
    return dry_ ? Json(true) : *value;
  }

  Result<Json> call(const std::string& name, const Json::Array& arguments) {
    constexpr std::string_view known[] = {"sqrt", "abs", "min", "max", "count", "sum", "last", "choose"};
    if (std::ranges::find(known, name) == std::end(known)) return wrong(fmt::format("asks for '{}', which is no function,", name));
    if (dry_) return Json(1);
    if (name == "choose") {
      if (arguments.size() != 3 || !arguments[0].is_bool()) return wrong("chooses without a condition and two values");
      return arguments[0].as_bool() ? arguments[1] : arguments[2];
    }
    if (name == "last") {
      const bool has_last = arguments.size() == 1 && arguments[0].is_array() && !arguments[0].as_array().empty();
      return has_last ? Result<Json>(arguments[0].as_array().back()) : Result<Json>(Json());
    }
    if (arguments.size() == 1 && name == "count") {
      if (arguments[0].is_array()) return Json(arguments[0].as_array().size());
      if (arguments[0].is_object()) return Json(arguments[0].as_object().size());
      return wrong("counts what is no list and no table");
    }
    const bool is_over_list = arguments.size() == 1 && arguments[0].is_array();
    const Json::Array& values = is_over_list ? arguments[0].as_array() : arguments;
    if (!std::ranges::all_of(values, &Json::is_number) || (values.empty() && name != "sum")) return wrong("computes with what are no numbers");
    return compute(name, values);
  }

  Result<Json> compute(std::string_view name, const Json::Array& values) {
    double out = name == "sum" ? 0 : values[0].as_double();
    if (name == "sqrt" || name == "abs") {
      if (values.size() != 1) return wrong("needs one number");
      if (name == "sqrt" && out < 0) return wrong("takes the root of a negative number");
      return number(name == "sqrt" ? std::sqrt(out) : std::abs(out));
    }
    for (const Json& value : values) {
      const double one = value.as_double();
      out = name == "sum" ? out + one : name == "min" ? std::min(out, one) : std::max(out, one);
    }
    return number(out);
  }

  std::string_view text_;
  const ExpressionScope& scope_;
  bool dry_;
  std::size_t at_ = 0;
  int depth_ = 0;
};

}  // namespace

Result<Json> evaluate(std::string_view expression, const ExpressionScope& scope) { return Evaluator(expression, scope).run(); }

Result<bool> holds(std::string_view condition, const ExpressionScope& scope) {
  const Json value = TRY(evaluate(condition, scope));
  if (!value.is_bool()) return fail(Code::invalid_argument, fmt::format("'{}' is neither true nor false", condition));
  return value.as_bool();
}

Result<> assign(std::string_view path, Json value, const ExpressionScope& scope, Json& state) {
  return Evaluator(path, scope).put(std::move(value), state);
}

Result<> check_expression(std::string_view expression) {
  const ExpressionScope nothing;
  TRY(Evaluator(expression, nothing, /*dry=*/true).run());
  return {};
}

}  // namespace hearth::eval
