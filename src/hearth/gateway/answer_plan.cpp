#include "hearth/gateway/answer_plan.h"

#include <fmt/format.h>

#include <algorithm>

#include "hearth/gateway/sampling_defaults.h"

namespace hearth::gateway {
namespace {

using chat::ToolChoice;

bool forces_call(const ChatRequest& request) {
  return request.tool_choice.kind == ToolChoice::Kind::required ||
         request.tool_choice.kind == ToolChoice::Kind::named;
}

ApiError field_error(const Error& error, std::string field) {
  ApiError out = api_error(error);
  out.field = std::move(field);
  return out;
}

// "tools[2].parameters.properties.x: ..." names its field before the colon.
std::string field_of(std::string_view message) {
  const auto end = message.find(": ");
  const std::string_view head = message.substr(0, end);
  return end != std::string_view::npos && head.find(' ') == std::string_view::npos
             ? std::string(head) : std::string();
}

ApiResult<void> add_constraint(const PlanParts& parts, AnswerPlan& plan) {
  if (plan.request.raw_prompt) return {};
  const chat::ConstraintRequest wanted{
      .tools = plan.request.conversation.tools,  // in the client's order: errors name it
      .choice = plan.request.tool_choice,
      .response = plan.request.response_format,
      .calls_before = plan.prompt.calls_before,
      .thinking = plan.prompt.thinking,
      .token_id = [&](std::string_view text) { return parts.prompts.marker_id(text); }};
  auto constraint = chat::make_constraint(parts.format, wanted);
  if (!constraint) return std::unexpected(field_error(constraint.error(), field_of(constraint.error().message)));
  if (!*constraint) return {};
  engine::SamplingOptions& sampling = plan.generate.sampling;
  sampling.grammar = std::move((*constraint)->grammar);
  if ((*constraint)->lazy) {
    sampling.grammar_trigger_tokens = std::move((*constraint)->trigger_tokens);
    sampling.grammar_trigger_patterns = std::move((*constraint)->trigger_patterns);
  }
  return {};
}

ApiResult<void> check_window(const PlanParts& parts, const Prompt& prompt) {
  const std::uint32_t most = prompt_tokens_max(parts.service.facts().limits, parts.options);
  const auto tokens = static_cast<std::uint32_t>(prompt.tokens.size());
  if (tokens <= most) return {};
  return std::unexpected(ApiError{
      .kind = ApiError::Kind::prompt_too_long,
      .message = fmt::format("prompt is too long: {} tokens > {} maximum", tokens, most),
      .prompt_tokens = tokens, .prompt_tokens_max = most});
}

}  // namespace

std::uint32_t prompt_tokens_max(const engine::EngineLimits& limits, const GatewayOptions& options) {
  const std::uint32_t window = limits.context_tokens;
  if (window == 0) return 0;
  return window - std::clamp(window / 8, 1U, std::max(options.answer_reserve_tokens, 1U));
}

ApiResult<Prompt> build_prompt(PromptBuilder& prompts, const ChatRequest& request,
                               const StopToken& stop) {
  // A call that must come is not preceded by thinking, unless the client asks for that.
  const bool thinking = request.thinking.value_or(!forces_call(request));
  return prompts.build(request, thinking, stop);
}

ApiResult<AnswerPlan> plan_answer(const PlanParts& parts, ChatRequest request,
                                  std::uint64_t random_seed, const StopToken& stop) {
  AnswerPlan plan;
  plan.random_seed = random_seed;
  plan.prompt = TRY(build_prompt(parts.prompts, request, stop));
  TRY(check_window(parts, plan.prompt));
  plan.request = std::move(request);

  SamplingChoice sampling = overlay(
      recommended_sampling(parts.format.name(), plan.prompt.thinking), parts.options.sampling);
  if (parts.options.client_sampling) sampling = overlay(sampling, plan.request.sampling);
  plan.generate.sampling = sampling_options(sampling, static_cast<std::uint32_t>(random_seed));
  TRY(add_constraint(parts, plan));
  plan.generate.prompt = plan.prompt.tokens;
  const std::uint32_t room = parts.service.facts().limits.context_tokens -
                             static_cast<std::uint32_t>(plan.prompt.tokens.size());
  plan.generate.tokens_max = std::clamp(plan.request.tokens_max.value_or(room), 1U, room);
  plan.generate.ignore_eos = plan.request.ignore_eos;
  if (plan.request.logprobs >= 0) plan.generate.logprobs = std::max(1, plan.request.logprobs);
  return plan;
}

}  // namespace hearth::gateway
