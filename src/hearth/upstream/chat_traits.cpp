#include "hearth/upstream/chat_traits.h"

namespace hearth::upstream {
namespace {

using Thinking = ChatTraits::Thinking;

constexpr ChatTraits hearth_traits{.prompt_only = true, .ignore_eos = true, .continues = true, .timings = true, .repeat_key = "repeat_penalty", .history_thinking = "reasoning_content"};
// Fields that are not OpenAI's own are refused by some that call themselves compatible.
constexpr ChatTraits openai_traits{.more_sampling = false, .may_end_bare = true, .thinking = Thinking::none};
// Its 500 is an input that it cannot take.
constexpr ChatTraits llama_traits{.prompt_only = true, .ignore_eos = true, .progress = true, .repeats_500 = false,
                                  .repeat_key = "repeat_penalty", .history_thinking = "reasoning_content"};
constexpr ChatTraits exo_traits{.schema = false, .tool_choice = false, .one_call = false, .raw_prompt = false,
                                .logit_bias = false, .usage_option = false, .thinking = Thinking::field,
                                .history_thinking = "reasoning_content"};
// Any other model's name loads that model, or downloads it. Without limits it stops at 512 tokens.
constexpr ChatTraits mlx_traits{.schema = false, .tool_choice = false, .one_call = false,
                                .fixed_model = "default_model", .sets_defaults = true};
constexpr ChatTraits vllm_traits{.one_call = false, .ignore_eos = true, .continues = true, .history_thinking = "reasoning_content"};

}  // namespace

const ChatTraits& chat_traits(Kind kind) {
  switch (kind) {
    case Kind::hearth: return hearth_traits;
    case Kind::llama_server: return llama_traits;
    case Kind::exo: return exo_traits;
    case Kind::mlx: return mlx_traits;
    case Kind::vllm_pair: return vllm_traits;
    case Kind::anthropic:
    case Kind::openai: break;
  }
  return openai_traits;
}

}  // namespace hearth::upstream
