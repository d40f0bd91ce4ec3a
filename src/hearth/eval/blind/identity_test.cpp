#include "hearth/eval/blind/identity.h"

#include <gtest/gtest.h>

namespace hearth::eval {
namespace {

TEST(Identity, TakesOutWhatTellsWhoWrote) {
  struct Case {
    std::string text, expected;
  };
  const std::vector<std::string> secrets = {"kimi-k2.6", "UD-Q4_K_XL", "Q4"};
  for (const Case& one : {
           Case{"As Kimi, I would begin with the end.", "As the assistant, I would begin with the end."},
           Case{"I am Claude Opus 4.7, made by Anthropic. Yes.", "I am the assistant, made by the assistant. Yes."},
           Case{"I'm Qwen3 and I can help.", "I'm the assistant and I can help."},
           Case{"<think>who am I? Kimi</think>\n\nThe answer.", "The answer."},
           Case{"hidden thoughts</think>The answer.", "The answer."},
           Case{"<think>never ends", ""},
           Case{"Done.<|im_end|>", "Done."},
           Case{"Served as kimi-k2.6 (UD-Q4_K_XL).", "Served as the assistant (the assistant)."},
           Case{"two  \r\nlines\t\n\n\n\nend\n\n", "two\nlines\n\nend"},
       }) {
    EXPECT_EQ(strip_identity(one.text, secrets).text, one.expected) << one.text;
  }
}

TEST(Identity, LeavesTalkOfOtherThingsAlone) {
  const std::vector<std::string> secrets = {"Q4", "sonnet", "large"};
  for (const std::string text : {"In Q4 the revenue of Google rose.", "Claude Monet painted in Giverny.",
                                 "Use <|> as a separator, a < b || b > c.", "A large sonnet has fourteen lines.",
                                 "The kimi is a river. Llamas live in Peru.", "x = [1, 2, 3] | sum"}) {
    const Stripped found = strip_identity(text, secrets);
    EXPECT_EQ(found.text, text);
    EXPECT_TRUE(found.removed.empty()) << text;
  }
}

TEST(Identity, SaysWhatItTookOut) {
  const Stripped found = strip_identity("I am Kimi K2.6, trained by Moonshot AI.");
  EXPECT_EQ(found.removed, (std::vector<std::string>{"Kimi K2.6", "Moonshot AI"}));
}

// Quadratic, this would take minutes.
TEST(Identity, AnAnswerThatLoopsIsReadOnce) {
  std::string text;
  for (int i = 0; i < 100'000; ++i) text += "No. ";
  EXPECT_EQ(strip_identity(text + "I am Kimi.").removed, std::vector<std::string>{"Kimi"});
}

TEST(Identity, TwiceIsAsOnce) {
  for (const std::string& text : std::vector<std::string>{"As Kimi, I say <think>a</think> b.\n\n\nc",
                                                          "I am GPT-4o. I'm ChatGPT.", "broken \xff utf8"}) {
    const std::string once = strip_identity(text).text;
    EXPECT_EQ(strip_identity(once).text, once);
  }
}

}  // namespace
}  // namespace hearth::eval
