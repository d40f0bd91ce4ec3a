#pragma once
// Prompts for a machine of the tests, and its whole answers.

#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "hearth/engine/synth/facts.h"
#include "tests/cluster/machine.h"
#include "tests/support/local_models.h"

namespace hearth::testing {

inline constexpr std::uint32_t answer_tokens = 16;

struct Answer {
  std::vector<Token> tokens;
  std::string text;
  engine::PromptDone prompt;
};

inline Answer answer(node::LocalModel& model, engine::GenerateRequest request) {
  auto stream = model.generate(std::move(request), {});
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

inline engine::GenerateRequest request_for(std::vector<Token> prompt, std::uint32_t tokens = answer_tokens) {
  return {.prompt = std::move(prompt), .tokens_max = tokens, .sampling = {.temperature = 0}};
}

inline Answer answer(node::LocalModel& model, std::vector<Token> prompt) {
  return answer(model, request_for(std::move(prompt)));
}

inline Answer answer(Machine& machine, std::vector<Token> prompt) {
  return answer(machine.model(), std::move(prompt));
}

// Alone, with a store.
inline std::unique_ptr<node::LocalModel> start_model(const std::filesystem::path& store, std::uint32_t chunk_tokens) {
  node::LocalModelOptions options;
  options.keeper.worker_executable = HEARTH_WORKER_EXECUTABLE;
  options.keeper.worker = local_run_options("kimi").worker;
  options.keeper.worker.chunk_tokens = chunk_tokens;
  options.keeper.worker.context_tokens = 8192;
  options.store_directory = store;
  auto model = node::LocalModel::start(std::move(options), {}, {});
  EXPECT_TRUE(model) << model.error().message;
  return *std::move(model);
}

// What it keeps of a prompt is on disk afterwards.
inline void flush(node::LocalModel& model) { ASSERT_TRUE(model.flush(Deadline::after(std::chrono::seconds(60)))); }

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
