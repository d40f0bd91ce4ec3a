#pragma once
// Runs one answer from its prompt to its end: asks the model, turns tokens into events, gives them
// to the job, remembers the turn; ends it when nobody reads it any more. Returns when it is over.

#include <functional>
#include <memory>

#include "hearth/chat/constraint.h"
#include "hearth/engine/model_service.h"
#include "hearth/gateway/answer_job.h"
#include "hearth/gateway/metrics.h"
#include "hearth/gateway/prompt_builder.h"
#include "hearth/seal/labeller.h"

namespace hearth::gateway {

struct AnswerPlan {
  Prompt prompt;
  ChatRequest request;
  engine::GenerateRequest generate;  // prompt tokens included
  std::string call_id_prefix;
  std::uint64_t random_seed = 0;
  Instant began{};  // when the request arrived
  seal::Clearance clearance;  // how far it, and all that comes of it, may travel
  // Set: called, on the job's thread, when the model fails before any of the answer is there; it ends the
  // job by other means. Not for what the request itself did wrong.
  std::function<void(const ApiError& why)> otherwise{};
};

struct RunnerParts {
  engine::ModelService& service;
  PromptBuilder& prompts;
  const chat::Format& format;
  Metrics& metrics;
  Duration grace;  // of an answer nobody reads
  seal::LabelGiver* labeller = nullptr;
};

void run_answer(const RunnerParts& parts, AnswerPlan plan, AnswerJob& job, const StopToken& stop);

}  // namespace hearth::gateway
