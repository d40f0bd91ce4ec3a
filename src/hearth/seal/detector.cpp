#include "hearth/seal/detector.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

namespace hearth::seal {
namespace {

using Position = std::optional<std::size_t>;

bool is_digit(char c) { return c >= '0' && c <= '9'; }
char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }
bool is_word(char c) { return is_digit(c) || (lower(c) >= 'a' && lower(c) <= 'z') || c == '_'; }
bool stands_alone(std::string_view text, std::size_t begin, std::size_t end) {
  return (begin == 0 || !is_word(text[begin - 1])) && (end >= text.size() || !is_word(text[end]));
}

// "-----BEGIN [words ]PRIVATE KEY", with or without " BLOCK"; a public key does not count.
Position find_private_key(std::string_view text) {
  constexpr std::string_view armour = "-----BEGIN ";
  constexpr std::size_t title_bytes_max = 64;
  for (std::size_t at = text.find(armour); at != text.npos; at = text.find(armour, at + 1)) {
    const std::string_view title = text.substr(at + armour.size(), title_bytes_max);
    if (title.substr(0, title.find("-----")).find("PRIVATE KEY") != title.npos) return at;
  }
  return std::nullopt;
}

struct TokenShape {
  std::string_view prefix;
  std::size_t characters_min;  // after the prefix
};
constexpr std::array<TokenShape, 12> token_shapes = {{{"sk-ant-", 24}, {"sk-proj-", 24}, {"ghp_", 36}, {"gho_", 36},
                                                      {"github_pat_", 40}, {"glpat-", 20}, {"xoxb-", 24}, {"xoxp-", 24},
                                                      {"AKIA", 16}, {"hf_", 30}, {"AIza", 35}, {"npm_", 36}}};

Position find_token(std::string_view text) {
  for (const TokenShape& shape : token_shapes) {
    std::size_t end = 0;         // of the run of words and hyphens that was looked at last: once, however many prefixes are in it
    std::size_t digits_end = 0;  // behind its last digit
    for (std::size_t at = text.find(shape.prefix); at != text.npos; at = text.find(shape.prefix, at + 1)) {
      if (at > 0 && is_word(text[at - 1])) continue;
      const std::size_t begin = at + shape.prefix.size();
      for (end = std::max(end, begin); end < text.size() && (is_word(text[end]) || text[end] == '-'); ++end) {
        if (is_digit(text[end])) digits_end = end + 1;
      }
      // "sk-ant-your-key-goes-here-please" is an example.
      if (digits_end > begin && end - begin >= shape.characters_min) return at;
    }
  }
  return std::nullopt;
}

bool has_issuer(std::string_view digits) {
  const int two = (digits[0] - '0') * 10 + (digits[1] - '0');
  const int four = two * 100 + (digits[2] - '0') * 10 + (digits[3] - '0');
  const std::size_t n = digits.size();
  if (digits[0] == '4') return n == 13 || n == 16 || n == 19;
  if ((two >= 51 && two <= 55) || (four >= 2221 && four <= 2720)) return n == 16;
  if (two == 34 || two == 37) return n == 15;
  if (two == 36 || two == 38 || two == 39 || (four >= 3000 && four <= 3059)) return n == 14 || n == 16;
  if (two == 65 || four == 6011 || (four >= 6440 && four <= 6499)) return n == 16 || n == 19;
  if (two == 62) return n >= 16;
  return four >= 3528 && four <= 3589 && n == 16;
}

// Digits in one run, or in groups of at least three with the same single space or hyphen between.
// What else would be a card is a date, a version, a list of numbers.
Position find_card(std::string_view text) {
  constexpr std::size_t digits_min = 13, digits_max = 19, group_min = 3;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (!is_digit(text[at]) || (at > 0 && (is_word(text[at - 1]) || text[at - 1] == '.' || text[at - 1] == '-'))) continue;
    std::string digits;
    std::size_t end = at, group = 0;
    char separator = 0;
    bool is_shaped = true;
    for (; end < text.size() && digits.size() <= digits_max; ++end) {
      const char c = text[end];
      if (is_digit(c)) {
        digits += c;
        ++group;
      } else if ((c == ' ' || c == '-') && end + 1 < text.size() && is_digit(text[end + 1]) &&
                 (separator == 0 || separator == c)) {
        is_shaped &= group >= group_min;
        separator = c;
        group = 0;
      } else {
        break;
      }
    }
    const bool is_alone = end >= text.size() || (!is_word(text[end]) && !(text[end] == '.' && end + 1 < text.size() && is_digit(text[end + 1])));
    const bool is_varied = digits.find_first_not_of(digits[0]) != digits.npos;
    if (is_alone && is_shaped && is_varied && digits.size() >= digits_min && digits.size() <= digits_max &&
        has_issuer(digits) && has_luhn_digit(digits)) {
      return at;
    }
    at = end - 1;
  }
  return std::nullopt;
}

// Together, or in groups of four as on paper.
Position find_iban(std::string_view text) {
  constexpr std::size_t characters_max = 34;
  const auto is_upper = [](char c) { return c >= 'A' && c <= 'Z'; };
  for (std::size_t at = 0; at + 4 < text.size(); ++at) {
    if (!is_upper(text[at]) || !is_upper(text[at + 1]) || !is_digit(text[at + 2]) || !is_digit(text[at + 3]) ||
        (at > 0 && is_word(text[at - 1]))) {
      continue;
    }
    std::string number;
    for (std::size_t i = at; i <= text.size() && number.size() <= characters_max; ++i) {
      const bool is_end = i == text.size();
      if (!is_end && (is_upper(text[i]) || is_digit(text[i]))) {
        number += text[i];
        continue;
      }
      if (is_iban(number) && (is_end || !is_word(text[i]))) return at;
      if (is_end || text[i] != ' ' || number.size() % 4 != 0) break;
    }
  }
  return std::nullopt;
}

Position find_passport(std::string_view text) {
  for (std::size_t begin = 0; begin < text.size();) {
    std::size_t end = begin;
    while (end < text.size() && (is_digit(text[end]) || (text[end] >= 'A' && text[end] <= 'Z') || text[end] == '<')) ++end;
    if (is_passport_line(text.substr(begin, end - begin))) return begin;
    begin = end + 1;
  }
  return std::nullopt;
}

// The whole of a marker, upper or lower case.
constexpr std::array<std::string_view, 3> markers = {"[[sealed]]", "<!-- hearth: sealed -->", "hearth:sealed"};

bool matches(std::string_view text, std::size_t at, std::string_view pattern) {
  if (text.size() - at < pattern.size()) return false;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    const char c = text[at + i];
    const char p = pattern[i];
    if (p == '#' ? !is_digit(c) : p == '?' ? c == '\n' : lower(c) != lower(p)) return false;
  }
  return true;
}

Position find_pattern(std::string_view text, std::string_view pattern, bool whole_words) {
  for (std::size_t at = 0; at + pattern.size() <= text.size(); ++at) {
    if (matches(text, at, pattern) && (!whole_words || stands_alone(text, at, at + pattern.size()))) return at;
  }
  return std::nullopt;
}

Position find_marker(std::string_view text) {
  for (const std::string_view marker : markers) {
    if (const auto at = find_pattern(text, marker, /*whole_words=*/is_word(marker.back()))) return at;
  }
  return std::nullopt;
}

struct Finder {
  SecretKind kind;
  std::string_view name;
  Position (*find)(std::string_view text);
};
constexpr std::array<Finder, 6> finders = {{{SecretKind::private_key, "private_key", find_private_key},
                                            {SecretKind::access_token, "access_token", find_token},
                                            {SecretKind::payment_card, "payment_card", find_card},
                                            {SecretKind::bank_account, "bank_account", find_iban},
                                            {SecretKind::travel_document, "travel_document", find_passport},
                                            {SecretKind::marker, "marker", find_marker}}};

}  // namespace

std::string_view kind_name(SecretKind kind) {
  const auto index = static_cast<std::size_t>(kind);
  return index < finders.size() ? finders[index].name : "user_pattern";
}

Result<> check_user_pattern(const UserPattern& pattern) {
  const auto literals = std::ranges::count_if(pattern.text, [](char c) { return c != '#' && c != '?'; });
  if (pattern.text.size() < user_pattern_bytes_min || pattern.text.size() > user_pattern_bytes_max || literals == 0) {
    return fail(Code::invalid_argument,
                fmt::format("pattern {}: {} to {} characters, one of them at least neither '#' nor '?'", pattern.name,
                            user_pattern_bytes_min, user_pattern_bytes_max));
  }
  return {};
}

std::vector<Found> find_secrets(std::string_view text, const std::vector<UserPattern>& patterns) {
  std::vector<Found> out;
  for (const Finder& finder : finders) {
    if (const auto at = finder.find(text)) out.push_back({finder.kind, *at, std::string(finder.name)});
  }
  for (const UserPattern& pattern : patterns) {
    if (const auto at = find_pattern(text, pattern.text, false)) {
      out.push_back({SecretKind::user_pattern, *at, pattern.name, pattern.label});
    }
  }
  return out;
}

}  // namespace hearth::seal
