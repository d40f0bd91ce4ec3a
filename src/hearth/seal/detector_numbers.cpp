// Numbers that carry check digits.
#include <algorithm>
#include <array>
#include <utility>

#include "hearth/seal/detector.h"

namespace hearth::seal {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }

// Country and length of its IBAN (registry of SWIFT, release 98).
constexpr std::array<std::pair<std::string_view, std::size_t>, 79> iban_lengths = {{
    {"AD", 24}, {"AE", 23}, {"AL", 28}, {"AT", 20}, {"AZ", 28}, {"BA", 20}, {"BE", 16}, {"BG", 22}, {"BH", 22},
    {"BR", 29}, {"BY", 28}, {"CH", 21}, {"CR", 22}, {"CY", 28}, {"CZ", 24}, {"DE", 22}, {"DK", 18}, {"DO", 28},
    {"EE", 20}, {"EG", 29}, {"ES", 24}, {"FI", 18}, {"FO", 18}, {"FR", 27}, {"GB", 22}, {"GE", 22}, {"GI", 23},
    {"GL", 18}, {"GR", 27}, {"GT", 28}, {"HR", 21}, {"HU", 28}, {"IE", 22}, {"IL", 23}, {"IQ", 23}, {"IS", 26},
    {"IT", 27}, {"JO", 30}, {"KW", 30}, {"KZ", 20}, {"LB", 28}, {"LC", 32}, {"LI", 21}, {"LT", 20}, {"LU", 20},
    {"LV", 21}, {"LY", 25}, {"MC", 27}, {"MD", 24}, {"ME", 22}, {"MK", 19}, {"MR", 27}, {"MT", 31}, {"MU", 30},
    {"NL", 18}, {"NO", 15}, {"PK", 24}, {"PL", 28}, {"PS", 29}, {"PT", 25}, {"QA", 29}, {"RO", 24}, {"RS", 22},
    {"SA", 24}, {"SC", 31}, {"SD", 18}, {"SE", 24}, {"SI", 19}, {"SK", 24}, {"SM", 27}, {"ST", 25}, {"SV", 28},
    {"TL", 23}, {"TN", 24}, {"TR", 26}, {"UA", 29}, {"VA", 22}, {"VG", 24}, {"XK", 20},
}};

// ICAO 9303 part 3, 4.9: weights 7 3 1; '<' counts 0, 'A' 10.
int document_check_digit(std::string_view field) {
  constexpr std::array weights = {7, 3, 1};
  int sum = 0;
  for (std::size_t i = 0; i < field.size(); ++i) {
    const char c = field[i];
    const int value = is_digit(c) ? c - '0' : is_upper(c) ? c - 'A' + 10 : 0;
    sum += value * weights[i % weights.size()];
  }
  return sum % 10;
}

bool checks(std::string_view line, std::size_t begin, std::size_t count) {
  const char digit = line[begin + count];
  return is_digit(digit) && document_check_digit(line.substr(begin, count)) == digit - '0';
}

}  // namespace

bool has_luhn_digit(std::string_view digits) {
  int sum = 0;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    const char c = digits[digits.size() - 1 - i];
    if (!is_digit(c)) return false;
    const int value = (c - '0') * (i % 2 == 1 ? 2 : 1);
    sum += value > 9 ? value - 9 : value;
  }
  return !digits.empty() && sum % 10 == 0;
}

bool is_iban(std::string_view text) {
  if (text.size() < 5 || !is_digit(text[2]) || !is_digit(text[3])) return false;
  const auto country = std::ranges::find(iban_lengths, text.substr(0, 2), [](const auto& c) { return c.first; });
  if (country == iban_lengths.end() || country->second != text.size()) return false;
  int remainder = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[(i + 4) % text.size()];
    if (!is_digit(c) && !is_upper(c)) return false;
    remainder = is_digit(c) ? (remainder * 10 + (c - '0')) % 97 : (remainder * 100 + (c - 'A' + 10)) % 97;
  }
  return remainder == 1;
}

// Passport number 1-9, its digit 10, country 11-13, birth 14-19 and digit 20, sex 21, expiry 22-27 and
// digit 28, personal number 29-42 and digit 43 (may be '<'), overall digit 44.
bool is_passport_line(std::string_view line) {
  constexpr std::size_t line_characters = 44;
  if (line.size() != line_characters) return false;
  if (!std::ranges::all_of(line, [](char c) { return is_digit(c) || is_upper(c) || c == '<'; })) return false;
  if (!std::ranges::all_of(line.substr(13, 7), is_digit) || !std::ranges::all_of(line.substr(21, 7), is_digit)) return false;
  return checks(line, 0, 9) && checks(line, 13, 6) && checks(line, 21, 6);
}

}  // namespace hearth::seal
