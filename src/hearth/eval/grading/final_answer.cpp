#include "hearth/eval/grading/final_answer.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "hearth/eval/grading/expression.h"
#include "hearth/eval/grading/extract.h"
#include "hearth/eval/grading/structured.h"

namespace hearth::eval {
namespace {

constexpr std::size_t answer_bytes_max = 200;  // a final answer is short

struct Unit {
  std::string_view names;  // separated by spaces; first of its kind has factor 1
  std::string_view kind;
  double factor;
};

constexpr std::array units = {
    Unit{"s sec second seconds", "time", 1},          Unit{"ms millisecond milliseconds", "time", 1e-3},
    Unit{"min minute minutes", "time", 60},           Unit{"h hr hour hours", "time", 3600},
    Unit{"d day days", "time", 86400},                Unit{"week weeks", "time", 604800},
    Unit{"m metre metres meter meters", "length", 1}, Unit{"mm", "length", 1e-3},
    Unit{"cm", "length", 1e-2},                       Unit{"km", "length", 1e3},
    Unit{"g gram grams", "mass", 1},                  Unit{"kg", "mass", 1e3},
    Unit{"t tonne tonnes", "mass", 1e6},              Unit{"mg", "mass", 1e-3},
    Unit{"l litre litres liter liters", "volume", 1}, Unit{"ml", "volume", 1e-3},
    Unit{"m^3 m³", "volume", 1e3},                    Unit{"% percent", "share", 1e-2},
    Unit{"eur euro euros €", "eur", 1},               Unit{"$ usd dollar dollars", "usd", 1},
    Unit{"cent cents", "eur", 1e-2},                  Unit{"m^2 m²", "area", 1},
    Unit{"cm^2 cm²", "area", 1e-4},                   Unit{"ha", "area", 1e4},
    Unit{"km/h kmh", "speed", 1 / 3.6},               Unit{"m/s", "speed", 1},
    Unit{"w watt watts", "power", 1},                 Unit{"kw", "power", 1e3},
    Unit{"wh", "energy", 1},                          Unit{"kwh", "energy", 1e3},
    Unit{"thousand", "scale", 1e3},                   Unit{"million", "scale", 1e6},
    Unit{"billion", "scale", 1e9}};

const Unit* find_unit(std::string_view name) {
  const std::string wanted = normal_text(name);
  for (const Unit& unit : units) {
    std::string_view rest = unit.names;
    while (!rest.empty()) {
      const std::size_t space = rest.find(' ');
      if (rest.substr(0, space) == wanted) return &unit;
      rest = space == std::string_view::npos ? std::string_view() : rest.substr(space + 1);
    }
  }
  return nullptr;
}

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) text.replace(at, from.size(), to);
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// \frac{a}{b} to ((a)/(b)), \sqrt{a} to sqrt(a).
void rewrite_tex(std::string& text) {
  for (const std::string_view name : {"\\dfrac", "\\tfrac"}) replace_all(text, name, "\\frac");
  for (std::size_t at = text.find("\\frac{"); at != std::string::npos; at = text.find("\\frac{")) {
    const std::size_t middle = text.find("}{", at), end = middle == std::string::npos ? middle : text.find('}', middle + 2);
    if (end == std::string::npos) return;
    text = fmt::format("{}(({})/({})){}", text.substr(0, at), text.substr(at + 6, middle - at - 6), text.substr(middle + 2, end - middle - 2), text.substr(end + 1));
  }
  replace_all(text, "\\sqrt{", "sqrt{");
  replace_all(text, "\\boxed{", "{");
  for (const auto& [from, to] : {std::pair{"{", "("}, std::pair{"}", ")"}, std::pair{"\\(", ""}, std::pair{"\\)", ""}, std::pair{"\\,", ""}, std::pair{"\\%", "%"},
                                 std::pair{"\\text", " "}, std::pair{"\\mathrm", " "}}) {
    replace_all(text, from, to);
  }
}

void rewrite_signs(std::string& text) {
  for (const auto& [from, to] :
       {std::pair{"\\cdot", "*"}, std::pair{"\\times", "*"}, std::pair{"\\pi", "pi"}, std::pair{"×", "*"}, std::pair{"·", "*"}, std::pair{"−", "-"},
        std::pair{"–", "-"}, std::pair{"÷", "/"}, std::pair{"π", "pi"}, std::pair{"\u00a0", " "}, std::pair{"\u202f", " "}, std::pair{"\u2009", " "},
        std::pair{"²", "^2"}, std::pair{"³", "^3"}, std::pair{"½", " 1/2"}, std::pair{"**", "^"}}) {
    replace_all(text, from, to);
  }
  for (std::size_t at = text.find("√"); at != std::string::npos; at = text.find("√")) {
    std::size_t end = at + std::string_view("√").size();
    const std::size_t start = end;
    while (end < text.size() && (is_digit(text[end]) || text[end] == '.')) ++end;
    const std::string radicand = end > start ? fmt::format("({})", text.substr(start, end - start)) : "";
    text = text.substr(0, at) + "sqrt" + radicand + text.substr(end);
  }
  // "2sqrt(3)" and "2pi" mean a product.
  for (const std::string_view name : {"sqrt", "pi"}) {
    for (std::size_t at = text.find(name, 1); at != std::string::npos; at = text.find(name, at + 2)) {
      const std::size_t before = text.find_last_not_of(' ', at - 1);
      if (before != std::string::npos && (is_digit(text[before]) || text[before] == ')')) text.insert(at, "*");
    }
  }
}

// Marks between groups of three digits go; a single comma before one or two digits is a decimal point.
void join_digit_groups(std::string& text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool is_mark = c == ',' || c == ' ' || c == '\'' || c == '_';
    std::size_t digits = 0;
    while (i + 1 + digits < text.size() && is_digit(text[i + 1 + digits])) ++digits;
    const bool is_between = is_mark && !out.empty() && is_digit(out.back()) && digits > 0;
    if (is_between && digits == 3) continue;
    out += is_between && c == ',' && digits < 3 && text.find('.') == std::string::npos ? '.' : c;
  }
  text = std::move(out);
}

// "2 1/2" is two and a half.
void rewrite_mixed_numbers(std::string& text) {
  const std::size_t space = text.find(' '), slash = text.find('/');
  if (space == std::string::npos || slash == std::string::npos || space > slash) return;
  const auto all_digits = [](std::string_view part) { return !part.empty() && std::ranges::all_of(part, is_digit); };
  const std::size_t end = std::min(text.find_first_not_of("0123456789", slash + 1), text.size());
  const std::string_view view = text;
  if (all_digits(view.substr(0, space)) && all_digits(view.substr(space + 1, slash - space - 1)) && all_digits(view.substr(slash + 1, end - slash - 1))) {
    text = fmt::format("({} + {}){}", text.substr(0, space), text.substr(space + 1, end - space - 1), text.substr(end));
  }
}

std::string prepared(std::string_view text) {
  std::string out(text);
  for (const char* mark : {"≈", "=", "~"}) {  // "x = 5", "v ≈ 3.2"
    if (const std::size_t at = out.rfind(mark); at != std::string::npos) out = out.substr(at + std::string_view(mark).size());
  }
  std::erase(out, '`');
  const auto trim = [&](std::string_view marks) {
    const std::size_t first = out.find_first_not_of(marks), last = out.find_last_not_of(marks);
    out = first == std::string::npos ? "" : out.substr(first, last - first + 1);
  };
  trim(" *_");
  // TeX's dollars come in pairs; a single one is money.
  if (std::ranges::count(out, '$') == 2) std::erase(out, '$');
  rewrite_tex(out);
  rewrite_signs(out);
  join_digit_groups(out);
  trim(" *_");
  while (out.ends_with('.')) out.pop_back();
  rewrite_mixed_numbers(out);
  return out;
}

}  // namespace

std::optional<Quantity> read_quantity(std::string_view text) {
  if (text.size() > answer_bytes_max) return std::nullopt;
  std::string rest = prepared(text);
  std::string money;
  for (const std::string_view sign : {"$", "€", "EUR", "USD"}) {
    if (!rest.starts_with(sign)) continue;
    money = sign;
    rest = rest.substr(sign.size());
  }
  const ExpressionScope nothing;
  for (std::size_t end = rest.size(); end > 0; --end) {
    if (end < rest.size() && is_digit(rest[end]) && is_digit(rest[end - 1])) continue;  // inside a number
    const auto value = evaluate(std::string_view(rest).substr(0, end), nothing);
    if (!value || !value->is_number()) continue;
    const std::string unit = normal_text(std::string_view(rest).substr(end));
    return Quantity{value->as_double(), unit.empty() ? normal_text(money) : unit};
  }
  return std::nullopt;
}

std::optional<double> plain_number(std::string_view text) {
  const auto found = read_quantity(text);
  if (!found || !found->unit.empty()) return std::nullopt;
  return found->value;
}

std::optional<double> unit_ratio(std::string_view from, std::string_view to) {
  if (normal_text(from) == normal_text(to)) return 1.0;
  const Unit* a = find_unit(from);
  const Unit* b = find_unit(to);
  if (a == nullptr || b == nullptr || a->kind != b->kind) return std::nullopt;
  return a->factor / b->factor;
}

Grade grade_final_answer(const FinalAnswerSpec& spec, std::string_view answer) {
  const auto verdict = [](bool is_right, std::string reason) {
    Grade out;
    out.score = is_right ? 1 : 0;
    out.parts.push_back({"answer", 1, out.score, reason});
    out.reason = std::move(reason);
    return out;
  };
  const auto declared = declared_answer(answer);
  if (!declared) return verdict(false, "no line that begins with 'Answer:'");
  const auto found = read_quantity(*declared);
  const auto expected = read_quantity(spec.value);
  if (!found || !expected) return verdict(false, fmt::format("'{}' is no number", *declared));
  double value = found->value;
  const bool is_known = find_unit(found->unit) != nullptr;
  if (found->unit.empty() || (!is_known && found->unit != normal_text(spec.unit))) {
    // Words that are no unit ("12 crates") do not change a number.
    if (spec.unit_required) return verdict(false, fmt::format("'{}' lacks the unit {}", *declared, spec.unit));
  } else {
    const auto ratio = unit_ratio(found->unit, spec.unit);
    if (!ratio) return verdict(false, fmt::format("'{}' is in {}, expected {}", *declared, found->unit, spec.unit.empty() ? "no unit" : spec.unit));
    value *= *ratio;
  }
  if (is_close(value, expected->value, spec.tolerance)) return verdict(true, "");
  return verdict(false, fmt::format("'{}' is not {} {}", *declared, spec.value, spec.unit));
}

}  // namespace hearth::eval
