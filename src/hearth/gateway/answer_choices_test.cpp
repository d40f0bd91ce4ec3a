// Log probabilities: with the text they belong to, and with nothing else.
#include <gtest/gtest.h>

#include <algorithm>

#include "hearth/chat/format.h"
#include "hearth/gateway/answer_pipeline.h"

namespace hearth::gateway {
namespace {

const std::unique_ptr<chat::Format> kimi = *chat::make_format("kimi-k2.5");

engine::TokenDone choice(std::string piece, Token token = 'x') {
  return {.token = token, .text = piece, .logprob = -0.25, .piece = piece,
          .top = {{.token = token, .logprob = -0.25, .text = piece}}};
}

std::string chosen(const std::vector<AnswerEvent>& events) {
  std::string out;
  for (const AnswerEvent& event : events) {
    for (const TokenChoice& each : event.choices) out += "[" + each.text + "]";
  }
  return out;
}

std::vector<AnswerEvent> run(AnswerPipeline& pipeline, const std::vector<engine::TokenDone>& tokens) {
  std::vector<AnswerEvent> out;
  for (const auto& token : tokens) std::ranges::move(pipeline.take(token), std::back_inserter(out));
  std::ranges::move(pipeline.finish({}), std::back_inserter(out));
  return out;
}

TEST(AnswerChoices, EveryTokenOfTheTextHasItsChoices) {
  AnswerPipeline pipeline({.parser = kimi->make_parser({})});
  EXPECT_EQ(chosen(run(pipeline, {choice("He"), choice("llo"), choice("!")})), "[He][llo][!]");
}

TEST(AnswerChoices, ThinkingAndItsMarkersHaveNoChoices) {
  const MarkerTokens markers{{900, {"<think>"}}, {901, {"</think>"}}};
  AnswerPipeline pipeline({.parser = kimi->make_parser({.thinking_open = true, .token_markers =
                                                         {"<think>", "</think>"}}),
                           .markers = &markers, .thinking_open = true});
  EXPECT_EQ(chosen(run(pipeline, {choice("hm"), choice("</think>", 901), choice("Yes"),
                                  choice(".")})),
            "[Yes][.]");
}

TEST(AnswerChoices, ThinkingThatTheModelOpensHasNoChoices) {
  AnswerPipeline pipeline({.parser = kimi->make_parser({})});
  EXPECT_EQ(chosen(run(pipeline, {choice("<think>"), choice("hm"), choice("</think>"),
                                  choice("Yes")})),
            "[Yes]");
}

TEST(AnswerChoices, TextHeldBackAtTheEndKeepsItsChoices) {
  AnswerPipeline pipeline({.parser = kimi->make_parser({}), .stop_strings = {"###"}});
  EXPECT_EQ(chosen(run(pipeline, {choice("a"), choice("#"), choice("#")})), "[a][#][#]");
}

TEST(AnswerChoices, RawContinuationIsAllText) {
  AnswerPipeline pipeline({.stop_strings = {"END"}});
  const auto events = run(pipeline, {choice("<think>"), choice(" x E"), choice("ND y")});
  std::string shown;
  for (const AnswerEvent& event : events) shown += event.text;
  EXPECT_EQ(shown, "<think> x ");
  EXPECT_EQ(pipeline.reason(), AnswerEnd::Reason::stop_string);
}

}  // namespace
}  // namespace hearth::gateway
