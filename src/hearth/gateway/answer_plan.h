#pragma once
// From what a client asks to what the model is asked: prompt, window, constraint, sampling.
// Private to gateway.

#include "hearth/gateway/answer_runner.h"
#include "hearth/gateway/gateway.h"

namespace hearth::gateway {

struct PlanParts {
  engine::ModelService& service;
  PromptBuilder& prompts;
  const chat::Format& format;
  const GatewayOptions& options;
};

// Refuses what cannot be answered, before anything is computed. `random_seed`: for sampling and ids.
ApiResult<AnswerPlan> plan_answer(const PlanParts& parts, ChatRequest request,
                                  std::uint64_t random_seed, const StopToken& stop);

// The prompt of that request; counting it and answering it give the same.
ApiResult<Prompt> build_prompt(PromptBuilder& prompts, const ChatRequest& request,
                               const StopToken& stop);

// Tokens that a prompt may have: the window less room for an answer.
std::uint32_t prompt_tokens_max(const engine::EngineLimits& limits, const GatewayOptions& options);

}  // namespace hearth::gateway
