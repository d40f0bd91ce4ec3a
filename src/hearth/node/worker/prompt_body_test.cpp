#include "hearth/node/worker/prompt_body.h"

#include <gtest/gtest.h>

namespace hearth::node {
namespace {

constexpr std::uint32_t vocabulary = 1000;
const std::vector<Token> prompt = {0, 7, 999, 10, 2};  // 10 is a line break's byte

std::string body_of(const Json& head, std::span<const Token> tokens) {
  return prompt_head(head) + std::string(as_text(std::as_bytes(tokens)));
}

TEST(PromptBody, BinaryAndJsonMeanTheSame) {
  const Json head = Json::object({{"text", "two\nlines"}, {"keep_ms", 5}});
  Json json = head;
  json.set("tokens", tokens_json(prompt));
  const auto binary = read_prompt(prompt_type, as_byte_span(body_of(head, prompt)), vocabulary).value();
  const auto text = read_prompt("application/json", as_byte_span(dump_json(json)), vocabulary).value();
  EXPECT_EQ(binary.tokens, prompt);
  EXPECT_EQ(text.tokens, prompt);
  EXPECT_EQ(binary.head, head);
  EXPECT_EQ(get<std::string>(text.head, "text").value(), "two\nlines");
}

TEST(PromptBody, MayBeEmpty) {
  EXPECT_TRUE(read_prompt(prompt_type, as_byte_span(body_of(Json::object(), {})), vocabulary)->tokens.empty());
}

TEST(PromptBody, RefusesWhatIsNoPrompt) {
  const std::vector<Token> beyond = {1, 1000}, negative = {-1};
  const std::string whole = body_of(Json::object(), prompt);
  const std::pair<const char*, std::string> cases[] = {
      {prompt_type, ""},
      {prompt_type, "{}"},
      {prompt_type, "{\n\0\0\0\0"},
      {prompt_type, whole.substr(0, whole.size() - 1)},
      {prompt_type, body_of(Json::object(), beyond)},
      {prompt_type, body_of(Json::object(), negative)},
      {"application/json", "{}"},
      {"application/json", R"({"tokens": [1, 1000]})"},
      {"application/json", R"({"tokens": [0.5]})"},
      {"application/json", whole},
  };
  for (const auto& [type, body] : cases) {
    const auto read = read_prompt(type, as_byte_span(body), vocabulary);
    ASSERT_FALSE(read) << body;
    EXPECT_EQ(read.error().code, Code::invalid_argument) << body;
  }
  EXPECT_TRUE(read_prompt(prompt_type, as_byte_span(body_of(Json::object(), beyond)), 0));
}

}  // namespace
}  // namespace hearth::node
