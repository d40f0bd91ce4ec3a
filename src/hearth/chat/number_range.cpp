#include "hearth/chat/number_range.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace hearth::chat {
namespace {

constexpr std::size_t fraction_digits_max = 6;  // beyond those that a bound has
constexpr double magnitude_max = 1e15;

std::string digit(char first, char last) {
  if (first == last) return fmt::format("\"{}\"", first);
  return fmt::format("[{}-{}]", first, last);
}

std::string digits(std::size_t min, std::size_t max) {
  if (max == 0) return {};
  if (min == max) return max == 1 ? "[0-9]" : fmt::format("[0-9]{{{}}}", max);
  return fmt::format("[0-9]{{{},{}}}", min, max);
}

std::string join(const std::string& a, const std::string& b) {
  if (a.empty()) return b;
  return b.empty() ? a : a + " " + b;
}

void alternative(std::string& out, const std::string& branch) {
  out += (out.empty() ? "" : " | ") + branch;
}

// Digit strings of one length, low <= x <= high.
std::string same_length(std::string_view low, std::string_view high) {
  std::size_t shared = 0;
  while (shared < low.size() && low[shared] == high[shared]) ++shared;
  const std::string head =
      shared == 0 ? std::string() : fmt::format("\"{}\"", low.substr(0, shared));
  if (shared == low.size()) return head;
  const std::string_view a = low.substr(shared);
  const std::string_view b = high.substr(shared);
  const std::size_t rest = a.size() - 1;
  const bool low_open = a.substr(1).find_first_not_of('0') == std::string_view::npos;
  const bool high_open = b.substr(1).find_first_not_of('9') == std::string_view::npos;
  std::string any;
  const char first = static_cast<char>(low_open ? a[0] : a[0] + 1);
  const char last = static_cast<char>(high_open ? b[0] : b[0] - 1);
  if (!low_open) {
    alternative(any, digit(a[0], a[0]) + " " + same_length(a.substr(1), std::string(rest, '9')));
  }
  if (first <= last) alternative(any, join(digit(first, last), digits(rest, rest)));
  if (!high_open) {
    alternative(any, digit(b[0], b[0]) + " " + same_length(std::string(rest, '0'), b.substr(1)));
  }
  return join(head, "(" + any + ")");
}

// Decimal spellings of low..high without leading zeros; 0 <= low <= high.
std::string natural(std::int64_t low, std::int64_t high) {
  std::string any;
  while (true) {
    const std::string a = std::to_string(low);
    const std::string nines(a.size(), '9');
    const std::int64_t end = std::min(high, static_cast<std::int64_t>(std::stoll(nines)));
    const std::string b = std::to_string(end);
    const bool round = a.find_first_not_of('0', 1) == std::string::npos && a[0] == '1';
    if (round && high == integer_magnitude_max && a.size() > 1) {
      // All longer numbers at once.
      alternative(any, "[1-9] " + digits(a.size() - 1, 14));
      break;
    }
    alternative(any, same_length(a, b));
    if (end == high) break;
    low = end + 1;
  }
  return "(" + any + ")";
}

// A non-negative bound written out: "12", "5" for 12.5. No trailing zeros.
struct Decimal {
  std::int64_t whole = 0;
  std::string fraction;
};

Decimal decimal(double value) {
  std::string text = fmt::format("{}", value);
  if (text.find('e') != std::string::npos) text = fmt::format("{:.20f}", value);
  Decimal out;
  const auto point = text.find('.');
  out.whole = std::stoll(text.substr(0, point));
  if (point != std::string::npos) out.fraction = text.substr(point + 1);
  while (!out.fraction.empty() && out.fraction.back() == '0') out.fraction.pop_back();
  return out;
}

std::string more_digits() { return digits(0, fraction_digits_max); }
std::string some_positive() {
  return fmt::format("\"0\"{{0,{}}} [1-9] {}", fraction_digits_max, more_digits());
}

// Digits after the point that make a fraction >= (or >) the given one; may match nothing at all
// only where that is right.
std::string digits_from(std::string_view bound, bool strict) {
  if (bound.empty()) return strict ? some_positive() : more_digits();
  std::string any;
  if (bound[0] < '9') {
    alternative(any, join(digit(static_cast<char>(bound[0] + 1), '9'), more_digits()));
  }
  alternative(any, join(digit(bound[0], bound[0]), digits_from(bound.substr(1), strict)));
  return "(" + any + ")";
}

// ... <= (or <) the given one, which is not empty. At least one digit.
std::string digits_to(std::string_view bound, bool strict) {
  std::string any;
  if (bound[0] > '0') {
    alternative(any, join(digit('0', static_cast<char>(bound[0] - 1)), more_digits()));
  }
  const std::string same = digit(bound[0], bound[0]);
  if (bound.size() > 1) {
    const std::string rest = digits_to(bound.substr(1), strict);
    alternative(any, same + (rest.empty() ? "" : " " + rest + "?"));
  } else if (!strict) {
    alternative(any, same + " \"0\"{0,3}");
  }
  return any.empty() ? any : "(" + any + ")";
}

std::string fraction_from(std::string_view bound, bool strict) {
  if (bound.empty() && !strict) return fmt::format("(\".\" {})?", digits(1, fraction_digits_max));
  return "\".\" " + digits_from(bound, strict);
}

// Empty when no fraction will do.
std::string fraction_to(std::string_view bound, bool strict) {
  if (bound.empty()) return strict ? std::string() : "(\".\" \"0\"{1,3})?";
  const std::string after = digits_to(bound, strict);
  return after.empty() ? "\"\"" : "(\".\" " + after + ")?";
}

std::string digits_between(std::string_view low, bool low_strict, std::string_view high,
                           bool high_strict) {
  if (high.empty()) return {};
  if (low.empty()) low = "0";
  std::string any;
  const std::string low_rest(low.substr(1));
  if (low[0] == high[0]) {
    if (high.size() == 1) {
      // Only the low end itself and zeros are left.
      const bool equal = low_rest.find_first_not_of('0') == std::string::npos;
      if (!equal || low_strict || high_strict) return {};
      return digit(low[0], low[0]) + " \"0\"{0,3}";
    }
    const std::string rest =
        digits_between(low_rest, low_strict, high.substr(1), high_strict);
    const bool end_here = low_rest.find_first_not_of('0') == std::string::npos && !low_strict;
    if (rest.empty()) return end_here ? digit(low[0], low[0]) : std::string();
    return "(" + digit(low[0], low[0]) + " " + (end_here ? "(" + rest + ")?" : rest) + ")";
  }
  alternative(any, join(digit(low[0], low[0]), digits_from(low_rest, low_strict)));
  if (low[0] + 1 < high[0]) {
    alternative(any, join(digit(static_cast<char>(low[0] + 1), static_cast<char>(high[0] - 1)),
                          more_digits()));
  }
  const std::string same = digit(high[0], high[0]);
  if (high.size() > 1) {
    const std::string rest = digits_to(high.substr(1), high_strict);
    alternative(any, same + (rest.empty() ? "" : " " + rest + "?"));
  } else if (!high_strict) {
    alternative(any, same + " \"0\"{0,3}");
  }
  return "(" + any + ")";
}

std::string whole_literal(std::int64_t value) { return fmt::format("\"{}\"", value); }

std::string within_one(const Decimal& low, bool low_strict, const Decimal& high,
                       bool high_strict) {
  const bool bare = low.fraction.empty() && !low_strict && !(high.fraction.empty() && high_strict);
  const std::string after =
      high.fraction.empty()
          ? (bare ? "\"0\"{1,3}" : std::string())
          : digits_between(low.fraction, low_strict, high.fraction, high_strict);
  if (after.empty()) return bare ? whole_literal(low.whole) : std::string();
  return whole_literal(low.whole) + " " +
         (bare ? "(\".\" " + after + ")?" : "\".\" " + after);
}

// Spellings of the numbers in [low, high], both >= 0.
std::string non_negative(double low_value, bool low_strict, double high_value, bool high_strict) {
  const Decimal low = decimal(low_value);
  const Decimal high = decimal(std::min(high_value, magnitude_max - 1));
  if (low.whole > high.whole) return {};
  if (low.whole == high.whole) return within_one(low, low_strict, high, high_strict);
  std::string any;
  alternative(any, whole_literal(low.whole) + " " + fraction_from(low.fraction, low_strict));
  if (low.whole + 1 <= high.whole - 1) {
    alternative(any, natural(low.whole + 1, high.whole - 1) + " " + fraction_from({}, false));
  }
  if (const std::string end = fraction_to(high.fraction, high_strict); !end.empty()) {
    alternative(any, whole_literal(high.whole) + " " + end);
  }
  return "(" + any + ")";
}

}  // namespace

std::string integer_rule(GbnfBuilder& grammar, std::optional<std::int64_t> min,
                         std::optional<std::int64_t> max) {
  const std::int64_t low = std::max(min.value_or(-integer_magnitude_max), -integer_magnitude_max);
  const std::int64_t high = std::min(max.value_or(integer_magnitude_max), integer_magnitude_max);
  if (low > high) return {};
  std::string any;
  if (low == -integer_magnitude_max && high == integer_magnitude_max) {
    any = "\"-\"? (\"0\" | [1-9] [0-9]{0,14})";
  } else {
    if (low < 0) alternative(any, "\"-\" " + natural(high < 0 ? -high : 1, -low));
    if (high >= 0) alternative(any, natural(std::max<std::int64_t>(low, 0), high));
  }
  return grammar.add("integer", any);
}

std::string number_rule(GbnfBuilder& grammar, const NumberBounds& bounds) {
  if (!bounds.min && !bounds.max) {
    return grammar.add("number",
                       "\"-\"? (\"0\" | [1-9] [0-9]{0,14}) (\".\" [0-9]{1,15})? "
                       "([eE] [-+]? [0-9]{1,2})?");
  }
  const double low = std::max(bounds.min.value_or(-magnitude_max + 1), -magnitude_max + 1);
  const double high = std::min(bounds.max.value_or(magnitude_max - 1), magnitude_max - 1);
  const bool low_strict = bounds.min_exclusive && bounds.min.has_value();
  const bool high_strict = bounds.max_exclusive && bounds.max.has_value();
  if (low > high) return {};
  std::string any;
  if (low < 0) {
    const std::string negative =
        high < 0 ? non_negative(-high, high_strict, -low, low_strict)
                 : non_negative(0, high == 0 && high_strict, -low, low_strict);
    if (!negative.empty()) alternative(any, "\"-\" " + negative);
  }
  if (high >= 0) {
    const std::string positive = low > 0 ? non_negative(low, low_strict, high, high_strict)
                                         : non_negative(0, low == 0 && low_strict, high, high_strict);
    if (!positive.empty()) alternative(any, positive);
  }
  return any.empty() ? any : grammar.add("number", any);
}

}  // namespace hearth::chat
