#include "hearth/eval/kl/transcript.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

namespace hearth::eval {
namespace {

// A byte a token, a marker of the format one token.
TextTokenizer byte_tokenizer(const chat::Format& format) {
  return {.tokenize = [&format](std::string_view text, bool special) -> Result<std::vector<Token>> {
            std::vector<Token> out;
            while (!text.empty()) {
              std::size_t taken = 1;
              Token token = static_cast<unsigned char>(text[0]);
              if (special) {
                for (std::size_t i = 0; i < format.markers().size(); ++i) {
                  if (!text.starts_with(format.markers()[i])) continue;
                  taken = format.markers()[i].size();
                  token = static_cast<Token>(256 + i);
                }
              }
              out.push_back(token);
              text.remove_prefix(taken);
            }
            return out;
          },
          .bos = -1};
}

std::string text_of(const ScoredText& scored, TokenKind kind) {
  std::string out;
  for (std::size_t i = 0; i < scored.tokens.size(); ++i) {
    if (scored.kinds[i] == kind && scored.tokens[i] < 256) {
      out += static_cast<char>(scored.tokens[i]);
    }
  }
  return out;
}

const char* const conversation_text =
    R"({"tools": [{"type": "function", "function": {"name": "look_up",
    "description": "finds", "parameters": {"type": "object", "properties": {"key": {"type": "string"}}}}}],
  "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "What is the code?"},
    {"role": "assistant", "content": "", "reasoning_content": "I must look.", "tool_calls": [{"id": "call_1", "type": "function",
      "function": {"name": "look_up", "arguments": "{\"key\": \"code\"}"}}]},
    {"role": "tool", "tool_call_id": "call_1", "content": "7131"},
    {"role": "assistant", "reasoning_content": "There it is.", "content": "It is seven."}]})";

class TranscriptKinds : public ::testing::TestWithParam<const char*> {};

TEST_P(TranscriptKinds, TellWhatTheModelWroteFromWhatItRead) {
  const auto format = chat::make_format(GetParam()).value();
  const auto conversation = conversation_from_json(parse_json(conversation_text).value()).value();
  const ScoredText scored =
      score_transcript(conversation, *format, byte_tokenizer(*format)).value();
  ASSERT_EQ(scored.tokens.size(), scored.kinds.size());
  const std::string calls = text_of(scored, TokenKind::tool_call);
  EXPECT_NE(calls.find("look_up"), std::string::npos) << calls;
  EXPECT_NE(calls.find("code"), std::string::npos) << calls;
  EXPECT_EQ(calls.find("7131"), std::string::npos) << calls;
  EXPECT_NE(text_of(scored, TokenKind::answer).find("It is seven."), std::string::npos);
  const std::string read = text_of(scored, TokenKind::read);
  for (const char* given : {"Be brief.", "What is the code?", "7131"}) {
    EXPECT_NE(read.find(given), std::string::npos) << given;
  }
  EXPECT_EQ(read.find("seven"), std::string::npos);
  if (format->can_think()) {
    EXPECT_NE(text_of(scored, TokenKind::thinking).find("There it is."), std::string::npos);
  }
}

INSTANTIATE_TEST_SUITE_P(Formats, TranscriptKinds,
                         ::testing::Values("kimi-k2", "kimi-k2-thinking", "kimi-k2.6", "qwen3",
                                           "chatml", "llama3"),
                         [](const auto& tested) {
                           std::string name = tested.param;
                           std::ranges::replace_if(
                               name, [](char c) { return c == '-' || c == '.'; }, '_');
                           return name;
                         });

TEST(Transcript, RefusesWhatIsNoConversationAndSaysWhere) {
  const std::map<std::string, std::string> cases = {
      {R"({})", "messages"},
      {R"({"messages": []})", "messages"},
      {R"({"messages": [{"content": "x"}]})", "messages[0]"},
      {R"({"messages": [{"role": "robot", "content": "x"}]})", "messages[0].role"},
      {R"({"messages": [{"role": "user", "content": 7}]})", "messages[0].content"},
      {R"({"messages": [{"role": "assistant", "tool_calls": [{"id": "a"}]}]})",
       "tool_calls[0].function"},
      {R"({"messages": [{"role": "user", "content": "x"}], "tools": [{}]})", "tools[0]"}};
  for (const auto& [text, where] : cases) {
    const auto refused = conversation_from_json(parse_json(text).value());
    ASSERT_FALSE(refused) << text;
    EXPECT_NE(refused.error().message.find(where), std::string::npos) << refused.error().message;
  }
}

}  // namespace
}  // namespace hearth::eval
