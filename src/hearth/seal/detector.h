#pragma once
// Finds secrets and personal data in text, to raise a label. It may only raise: finding nothing proves
// nothing. What it takes for what, and how often it is wrong, is in docs/seal.md, "the detector".
//
// Policy on false positives: a kind is here only if chance hits it rarely. Numbers must have the
// length, the issuer's prefix and the check digits of their kind, and must stand alone; keys must have
// their armour. Names, addresses and telephone numbers are not looked for: chance hits them all day,
// and a detector that always fires is switched off. Pure; thread-safe.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "hearth/base/result.h"
#include "hearth/seal/label.h"

namespace hearth::seal {

enum class SecretKind : std::uint8_t {
  private_key,     // PEM or OpenSSH armour of a private key
  access_token,    // a token of a known service, by its prefix and length
  payment_card,    // 13 to 19 digits, an issuer's prefix, Luhn
  bank_account,    // IBAN: country's length, ISO 7064 mod 97
  travel_document, // second line of a passport's machine-readable zone, three check digits of ICAO 9303
  marker,          // the text says of itself that it is sealed
  user_pattern,
};
std::string_view kind_name(SecretKind kind);

// A text the user names, compared without regard to the case of ASCII letters. '#' stands for one
// digit, '?' for one character that is not a line's end; everything else for itself.
struct UserPattern {
  std::string name;
  std::string text;
  Label label = Label::sealed;
};
inline constexpr std::size_t user_patterns_max = 256;
inline constexpr std::size_t user_pattern_bytes_min = 4;
inline constexpr std::size_t user_pattern_bytes_max = 256;
// invalid_argument: too short or long, or nothing in it stands for itself.
Result<> check_user_pattern(const UserPattern& pattern);

struct Found {
  SecretKind kind;
  std::size_t at = 0;     // byte in the text
  std::string rule;       // "payment_card", or the user pattern's name; never what was found
  Label label = Label::sealed;
};

// The first of each kind. Reads the text once for each kind.
std::vector<Found> find_secrets(std::string_view text, const std::vector<UserPattern>& patterns = {});

// The parts, for whoever checks one number. Digits and letters only, no spaces.
bool has_luhn_digit(std::string_view digits);
bool is_iban(std::string_view text);
bool is_passport_line(std::string_view line);  // 44 characters

}  // namespace hearth::seal
