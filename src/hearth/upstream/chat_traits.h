#pragma once
// How the services that speak OpenAI's chat completions differ. A field that one accepts and ignores is
// not sent to it. Private to upstream.

#include <string_view>

#include "hearth/upstream/spec.h"

namespace hearth::upstream {

struct ChatTraits {
  bool schema = true;        // response_format is enforced
  bool tool_choice = true;
  bool one_call = true;      // parallel_tool_calls: false is followed
  bool logprobs = true;
  bool raw_prompt = true;    // /v1/completions
  bool prompt_only = false;  // max_tokens 0 reads the prompt
  bool more_sampling = true; // top_k, min_p, a repeat penalty
  bool logit_bias = true;
  bool ignore_eos = false;   // of raw prompts
  bool continues = false;    // continue_final_message
  bool usage_option = true;  // stream_options.include_usage
  bool progress = false;     // return_progress
  bool timings = false;      // told when asked for
  bool may_end_bare = false; // an answer is whole with its finish_reason, [DONE] or not
  bool repeats_500 = true;   // an error 500 may be a passing one
  enum class Thinking : unsigned char { none, template_option, field } thinking = Thinking::template_option;
  std::string_view repeat_key = "repetition_penalty";
  std::string_view history_thinking{};  // member of a turn in the history; empty: not sent
  std::string_view fixed_model{};       // sent whatever the request says
  bool sets_defaults = false;           // temperature and max_tokens are always sent
};

const ChatTraits& chat_traits(Kind kind);

}  // namespace hearth::upstream
