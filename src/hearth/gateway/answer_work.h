#pragma once
// What a job is to do for a request: have the model here answer, have a service answer, or the one when the
// other fails before any of the answer is there. Private to gateway. Thread-safe.

#include "hearth/gateway/answer_call.h"
#include "hearth/gateway/answer_plan.h"
#include "hearth/gateway/job_table.h"

namespace hearth::gateway {

// The name under which a client has KV kept: also a part of a path.
inline constexpr std::size_t pin_owner_bytes_max = 64;
bool is_pin_owner(std::string_view name);

// All outlive what uses them.
struct AnsweringParts {
  engine::ModelService& service;
  const chat::Format& format;
  const GatewayOptions& options;
  const Access& access;
  PromptBuilder& prompts;
  Metrics& metrics;
};

struct AnswerWork {
  JobTable::Work work;
  std::string model;  // that answers, as clients call it
  std::uint32_t prompt_tokens = 0;  // 0: it is counted elsewhere
};

class WorkMaker {
 public:
  // `grace`: for how long an answer that nobody reads goes on.
  WorkMaker(const AnsweringParts& parts, Duration grace) : parts_(parts), grace_(grace) {}

  // Refuses what cannot be answered, before anything is computed.
  ApiResult<AnswerWork> make(const AnswerCall& call, const ChatRequest& request, const Way& way) const;

 private:
  ApiResult<AnswerWork> here(const AnswerCall& call, const ChatRequest& request, const Way& way) const;
  ApiResult<AnswerWork> there(const AnswerCall& call, const ChatRequest& request, const Way& way,
                              const std::string& target) const;
  ApiResult<AnswerPlan> plan(const AnswerCall& call, const ChatRequest& request, std::string adapter) const;
  void count_prompt(const Prompt& prompt) const;
  void tell_departure(const AnswerCall& call, const AnswerPlan& plan) const;

  const AnsweringParts parts_;
  const Duration grace_;
};

}  // namespace hearth::gateway
