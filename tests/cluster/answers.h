#pragma once
// Prompts for a machine of the tests, and its whole answers.

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "hearth/engine/synth/facts.h"
#include "tests/cluster/machine.h"

namespace hearth::testing {

inline constexpr std::uint32_t answer_tokens = 16;

struct Answer {
  std::vector<Token> tokens;
  std::string text;
  engine::PromptDone prompt;
};

inline Answer answer(node::LocalModel& model, std::vector<Token> prompt) {
  auto stream = model.generate(
      {.prompt = std::move(prompt), .tokens_max = answer_tokens, .sampling = {.temperature = 0}}, {});
  EXPECT_TRUE(stream) << stream.error().message;
  Answer out;
  while (stream) {
    auto event = (*stream)->next(Deadline::after(std::chrono::seconds(120)));
    if (!event) {
      ADD_FAILURE() << event.error().message;
      break;
    }
    if (const auto* error = std::get_if<Error>(&*event)) {
      ADD_FAILURE() << error->message;
      break;
    }
    if (const auto* done = std::get_if<engine::PromptDone>(&*event)) out.prompt = *done;
    if (const auto* token = std::get_if<engine::TokenDone>(&*event)) {
      out.tokens.push_back(token->token);
      out.text += token->text;
    }
    if (std::holds_alternative<engine::Finished>(*event)) break;
  }
  return out;
}

inline Answer answer(Machine& machine, std::vector<Token> prompt) {
  return answer(machine.model(), std::move(prompt));
}

inline std::vector<Token> text_tokens(node::LocalModel& model, std::size_t count) {
  const auto planted = engine::plant_facts(/*seed=*/7, /*fact_count=*/4, 9000).value();
  auto tokens = model.tokenize(planted.text, /*special=*/false, {}).value();
  EXPECT_GE(tokens.size(), count);
  tokens.resize(count);
  return tokens;
}
inline std::vector<Token> text_tokens(Machine& machine, std::size_t count) {
  return text_tokens(machine.model(), count);
}

}  // namespace hearth::testing
