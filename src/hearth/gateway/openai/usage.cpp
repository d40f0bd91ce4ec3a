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

}  // namespace hearth::gateway::openai
