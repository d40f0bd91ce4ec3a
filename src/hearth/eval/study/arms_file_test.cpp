#include "hearth/eval/study/arms_file.h"

#include <gtest/gtest.h>

namespace hearth::eval {
namespace {

constexpr std::string_view good = R"(
[study]
margin = 3
generations = 8
[[upstream]]
name = "q8"
kind = "hearth"
url = "http://127.0.0.1:1"
reach = "cluster"
model = "kimi"
[[upstream]]
name = "q4"
kind = "hearth"
url = "http://127.0.0.1:2"
reach = "cluster"
model = "kimi"
[[upstream]]
name = "opus"
kind = "anthropic"
url = "https://api.example"
reach = "remote"
model = "judge-1"
key_variable = "JUDGE_KEY"
prices = { prompt = 5, answer = 25 }
[[arm]]
name = "Q8"
upstream = "q8"
quantisation = "UD-Q8_K_XL"
temperature = 0.6
seed = 1
[[arm]]
name = "Q4"
upstream = "q4"
quantisation = "UD-Q4_K_XL"
temperature = 0.6
seed = 1
[judge]
upstream = "opus"
money_max = 60
)";

TEST(ArmsFile, IsReadWhole) {
  const auto file = parse_arms(good, "arms.toml");
  ASSERT_TRUE(file) << file.error().message;
  ASSERT_EQ(file->arms.size(), 2u);
  EXPECT_EQ(file->arms[1].quantisation, "UD-Q4_K_XL");
  EXPECT_EQ(file->arms[0].endpoint.reach, seal::Reach::cluster);
  EXPECT_DOUBLE_EQ(file->settings.margin, 0.03);
  EXPECT_DOUBLE_EQ(file->judge->money_max_usd, 60);
  EXPECT_EQ(comparison_plan(file->settings)->generations, (std::vector<double>{2, 3, 5, 8}));
  EXPECT_NE(file->arms[0].digest(), file->arms[1].digest());
}

TEST(ArmsFile, MistakesAreNamedWithTheirLine) {
  struct Case {
    std::string_view from, to, expected;
  };
  for (const Case& one : {
           Case{"margin = 3", "margin = 0", "arms.toml:2: study: margin = 0: expected"},
           Case{"generations = 8", "generation = 8", "generation"},
           Case{"kind = \"hearth\"", "kind = \"hart\"", "kind expected one of hearth"},
           Case{"upstream = \"q4\"", "upstream = \"q5\"", "arm 'Q4': upstream = \"q5\": no [[upstream]]"},
           Case{"temperature = 0.6", "", "'temperature' is missing"},
           Case{"model = \"kimi\"", "", "'model' is missing"},
           Case{"reach = \"cluster\"", "reach = \"near\"", "reach expected"},
           Case{"name = \"Q4\"", "name = \"Q8\"", "two arms are called Q8"},
           Case{"money_max = 60", "", "'money_max' is missing"},
           Case{"[judge]", "[juge]", "juge"},
           Case{"margin = 3", "divergence_decides = true", "arm Q8 has no model_digest"},
           Case{"name = \"Q4\"\nupstream = \"q4\"", "name = \"Q4\"\nupstream = \"opus\"", "this arm has a price"},
           Case{"seed = 1", "seed = -1", "seed = -1: expected"},
           Case{"margin = 3", "looks = [3, 2]", "looks: expected rising"},
           Case{"[[arm]]\nname = \"Q4\"", "[[arms]]\nname = \"Q4\"", "arms"},
       }) {
    std::string text(good);
    text.replace(text.find(one.from), one.from.size(), one.to);
    const auto file = parse_arms(text, "arms.toml");
    ASSERT_FALSE(file) << one.to;
    EXPECT_EQ(file.error().code, Code::invalid_argument);
    EXPECT_TRUE(file.error().message.contains(one.expected)) << file.error().message;
  }
}

TEST(ArmsFile, WhereAnArmIsDoesNotMatterToItsRecords) {
  std::string moved(good);
  moved.replace(moved.find("127.0.0.1:1"), 11, "127.0.0.1:9");
  EXPECT_EQ(parse_arms(good, "a")->arms[0].digest(), parse_arms(moved, "a")->arms[0].digest());
  std::string warmer(good);
  warmer.replace(warmer.find("0.6"), 3, "0.7");
  EXPECT_NE(parse_arms(good, "a")->arms[0].digest(), parse_arms(warmer, "a")->arms[0].digest());
}

}  // namespace
}  // namespace hearth::eval
