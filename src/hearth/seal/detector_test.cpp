#include "hearth/seal/detector.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "hearth/base/random.h"

namespace hearth::seal {
namespace {

std::string kinds(std::string_view text, const std::vector<UserPattern>& patterns = {}) {
  std::string out;
  for (const Found& found : find_secrets(text, patterns)) {
    if (!out.empty()) out += " ";
    out += found.rule;
  }
  return out;
}

struct Case {
  std::string text, expected;
};

class DetectorTest : public testing::TestWithParam<Case> {};
TEST_P(DetectorTest, Finds) { EXPECT_EQ(kinds(GetParam().text), GetParam().expected) << GetParam().text; }

// Numbers published for tests by their issuers, and the examples of the standards.
INSTANTIATE_TEST_SUITE_P(Secrets, DetectorTest, testing::Values(
    Case{"-----BEGIN RSA PRIVATE KEY-----\nMII", "private_key"},
    Case{"x\n-----BEGIN OPENSSH PRIVATE KEY-----", "private_key"},
    Case{"-----BEGIN PRIVATE KEY-----", "private_key"},
    Case{"-----BEGIN PGP PRIVATE KEY BLOCK-----", "private_key"},
    Case{"key=sk-ant-api03-abcdefghij0123456789KLMNOP", "access_token"},
    Case{"AKIAIOSFODNN7EXAMPLE", "access_token"},
    Case{"ghp_0123456789abcdefghij0123456789abcdef", "access_token"},
    Case{"card 4111 1111 1111 1111, thanks", "payment_card"},
    Case{"4111111111111111", "payment_card"},
    Case{"5555-5555-5555-4444", "payment_card"},
    Case{"378282246310005", "payment_card"},
    Case{"pay 6011111111111117.", "payment_card"},
    Case{"to GB82 WEST 1234 5698 7654 32", "bank_account"},
    Case{"DE89370400440532013000", "bank_account"},
    Case{"NO93 8601 1117 947", "bank_account"},
    Case{"NL91 ABNA 0417 1643 00 is mine", "bank_account"},
    Case{"P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<\nL898902C36UTO7408122F1204159ZE184226B<<<<<10", "travel_document"},
    Case{"notes [[SEALED]] here", "marker"},
    Case{"tags: hearth:sealed\n", "marker"}));

INSTANTIATE_TEST_SUITE_P(Harmless, DetectorTest, testing::Values(
    Case{"", ""},
    Case{"-----BEGIN PUBLIC KEY-----", ""},
    Case{"-----BEGIN CERTIFICATE-----", ""},
    Case{"set sk-ant-your-api-key-goes-here in the environment", ""},
    Case{"AKIA is a prefix", ""},
    Case{"4111111111111112", ""},                         // Luhn
    Case{"9999999999999995", ""},                         // no issuer
    Case{"0000000000000000", ""},
    Case{"order 411111111111111111111", ""},              // too long
    Case{"a4111111111111111", ""},                        // part of a word
    Case{"4111111111111111.5", ""},                       // a decimal number
    Case{"2026-11-28 14:30:00 1764339600000", ""},
    Case{"41 11 11 11 11 11 11 11", ""},                  // groups of two: a list
    Case{"sha 4e1243bd22c66e76c2ba9eddc1f91394e57f9f83", ""},
    Case{"GB82 WEST 1234 5698 7654 33", ""},
    Case{"XX82WEST12345698765432", ""},
    Case{"L898902C37UTO7408122F1204159ZE184226B<<<<<10", ""},
    Case{"the sealed envelope", ""},
    Case{"hearth:sealedness", ""}));

TEST(Detector, UserPatternsStandForThemselvesDigitsAndCharacters) {
  const std::vector<UserPattern> patterns = {{"case", "Case ####/##"}, {"project", "Blue?Heron", Label::house}};
  EXPECT_EQ(kinds("see case 1234/56", patterns), "case");
  EXPECT_EQ(kinds("see case 123a/56", patterns), "");
  const auto found = find_secrets("the BLUE-HERON plan", patterns);
  ASSERT_EQ(found.size(), 1);
  EXPECT_EQ(found[0].label, Label::house);
  EXPECT_EQ(found[0].at, 4);
}

TEST(Detector, RefusesPatternsThatMatchEverything) {
  EXPECT_TRUE(check_user_pattern({"a", "abcd"}));
  for (const std::string& bad : {std::string(), std::string("abc"), std::string("####"), std::string("?#?#"), std::string(300, 'x')}) {
    EXPECT_FALSE(check_user_pattern({"a", bad})) << bad;
  }
}

// What chance does: random numbers of 16 digits alone on a line, the worst case for cards.
TEST(Detector, ChanceRarelyMakesACard) {
  Random random(1);
  int hits = 0;
  for (int i = 0; i < 20'000; ++i) {
    std::string number;
    for (int d = 0; d < 16; ++d) number += static_cast<char>('0' + random.below(10));
    hits += kinds(number).empty() ? 0 : 1;
  }
  EXPECT_LT(hits, 20'000 * 4 / 100);  // Luhn lets a tenth pass, issuers hold about a quarter of the prefixes
}

// Quadratic, these would take minutes.
TEST(Detector, ManyPrefixesInOneRunAreReadOnce) {
  for (const std::string_view prefix : {"hf_", "npm_", "sk-ant-", "xoxb-"}) {
    std::string text;
    while (text.size() < 2'000'000) text += prefix;
    EXPECT_TRUE(find_secrets(text).empty()) << prefix;
  }
  std::string late(100, '-');
  late = "sk-ant-" + late + "sk-ant-" + std::string(30, 'x');
  EXPECT_TRUE(find_secrets(late).empty());
  EXPECT_EQ(find_secrets(late + "7").size(), 1u) << "the digit is behind both";
}

TEST(Detector, TextOfAnyKindIsReadToItsEnd) {
  Random random(7);
  const std::string alphabet = "4 1-A<\n.9GB8sk-ant_[]:";
  for (int i = 0; i < 2'000; ++i) {
    std::string text;
    for (std::uint64_t n = random.below(80); n > 0; --n) text += alphabet[random.below(alphabet.size())];
    for (const Found& found : find_secrets(text)) EXPECT_LT(found.at, text.size());
  }
}

}  // namespace
}  // namespace hearth::seal
