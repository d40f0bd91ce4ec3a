#include "hearth/gateway/openai/usage.h"

#include <algorithm>

namespace hearth::gateway::openai {
namespace {

Json total_tokens(const Usage& usage) {
  return std::uint64_t{usage.prompt_tokens} + usage.answer_tokens;
}

Json prompt_details(const Usage& usage) {
  Json details =
      Json::object({{"cached_tokens", std::min(usage.cached_tokens, usage.prompt_tokens)}});
  // Ours, and only where there is something to say.
  if (usage.other_precision_tokens > 0) {
    details.set("other_precision_tokens", usage.other_precision_tokens);
  }
  return details;
}

Json answer_details(const Usage& usage) {
  return Json::object({{"reasoning_tokens", usage.thinking_tokens}});
}

// Of `tokens` in `ms`; null where nothing can be divided.
Json rate(std::uint32_t tokens, double ms) { return tokens > 0 && ms > 0 ? Json(1e3 * tokens / ms) : Json(); }

Json hand_off_json(const model::HandOffFacts& facts) {
  Json out = Json::object({{"prefilled_by", facts.prefilled_by},
                           {"handed_tokens", facts.handed_tokens},
                           {"held_tokens", facts.held_tokens},
                           {"memory_tokens", facts.memory_tokens},
                           {"disk_tokens", facts.disk_tokens},
                           {"chunks", facts.chunks},
                           {"refused_chunks", facts.refused_chunks},
                           {"bytes", facts.bytes},
                           {"hidden_fraction", facts.hidden_fraction},
                           {"tail_ms", facts.tail_ms}});
  if (facts.import_ms) out.set("import_ms", *facts.import_ms);
  return out;
}

}  // namespace

Json completion_usage_json(const Usage& usage) {
  return Json::object({{"prompt_tokens", usage.prompt_tokens},
                       {"completion_tokens", usage.answer_tokens},
                       {"total_tokens", total_tokens(usage)},
                       {"prompt_tokens_details", prompt_details(usage)},
                       {"completion_tokens_details", answer_details(usage)}});
}

Json response_usage_json(const Usage& usage) {
  return Json::object({{"input_tokens", usage.prompt_tokens},
                       {"input_tokens_details", prompt_details(usage)},
                       {"output_tokens", usage.answer_tokens},
                       {"output_tokens_details", answer_details(usage)},
                       {"total_tokens", total_tokens(usage)}});
}

void set_timings(const AnswerEnd& end, Json& answer) {
  if (!end.times) return;
  const Usage& usage = end.usage;
  const std::uint32_t computed_tokens = usage.prompt_tokens - std::min(usage.cached_tokens, usage.prompt_tokens);
  // The first answer token is the prompt's doing: those after it took the time.
  const std::uint32_t steps = usage.answer_tokens > 0 ? usage.answer_tokens - 1 : 0;
  answer.set("timings", Json::object({{"cache_n", usage.cached_tokens},
                                      {"prompt_n", computed_tokens},
                                      {"prompt_ms", end.times->prompt_ms},
                                      {"prompt_per_second", rate(computed_tokens, end.times->prompt_ms)},
                                      {"predicted_n", usage.answer_tokens},
                                      {"predicted_ms", end.times->answer_ms},
                                      {"predicted_per_second", rate(steps, end.times->answer_ms)}}));
  if (end.times->hand_off) answer.set("hand_off", hand_off_json(*end.times->hand_off));
}

}  // namespace hearth::gateway::openai
