#include "hearth/gateway/openai/completions_request.h"

#include <limits>

#include "hearth/gateway/openai/generation.h"

namespace hearth::gateway::openai {
namespace {

constexpr std::uint32_t tokens_max_default = 16;  // OpenAI's own

ApiResult<std::vector<Token>> read_tokens(const Json& list, const std::string& path) {
  std::vector<Token> out;
  for (std::size_t i = 0; i < list.as_array().size(); ++i) {
    const Json& item = list.as_array()[i];
    if (!item.is_integer() || item.as_integer() < 0 ||
        item.as_integer() > std::numeric_limits<Token>::max()) {
      return refuse(item_path(path, i), "expected a token id");
    }
    out.push_back(static_cast<Token>(item.as_integer()));
  }
  if (out.empty()) return refuse(path, "is empty");
  return out;
}

// A string, a list of token ids, or a list with one of either.
ApiResult<RawPrompt> read_prompt(const Json& prompt, const std::string& path, bool nested) {
  if (prompt.is_string()) {
    if (prompt.as_string().empty()) return refuse(path, "is empty");
    return RawPrompt(prompt.as_string());
  }
  if (!prompt.is_array()) {
    return refuse(path, "expected a string or an array of token ids, got " +
                            std::string(prompt.kind_name()));
  }
  const Json::Array& items = prompt.as_array();
  if (nested || items.empty() || items.front().is_number()) {
    std::vector<Token> tokens = TRY(read_tokens(prompt, path));
    return RawPrompt(std::move(tokens));
  }
  if (items.size() > 1) return refuse(path, "one prompt a request is served; send the others by themselves");
  return read_prompt(items.front(), item_path(path, 0), /*nested=*/true);
}

ApiResult<void> refuse_what_is_not_served(const Json& body) {
  const bool echo = TRY(read_flag(body, "echo"));
  if (echo) return refuse("echo", "is not served; put the prompt before the answer yourself");
  const auto suffix = TRY(find_field<std::string>(body, "suffix"));
  if (suffix && !suffix->empty()) return refuse("suffix", "is not served: text is continued at its end only");
  TRY(expect_one(body, "n"));
  return expect_one(body, "best_of");
}

}  // namespace

ApiResult<ChatRequest> read_completions_request(const Json& body) {
  TRY(expect_body(body));
  ChatRequest out;
  out.model = TRY(get_field<std::string>(body, "model"));
  const Json* prompt = body.find("prompt");
  if (prompt == nullptr || prompt->is_null()) return refuse("prompt", "is required");
  out.raw_prompt = TRY(read_prompt(*prompt, "prompt", /*nested=*/false));
  TRY(refuse_what_is_not_served(body));
  const auto tokens = TRY(find_tokens(body, "max_tokens"));
  out.tokens_max = tokens.value_or(tokens_max_default);
  out.stop_strings = TRY(read_stops(body));
  out.ignore_eos = TRY(read_flag(body, "ignore_eos"));
  out.sampling = TRY(read_sampling(body));
  const auto alternatives = TRY(find_alternatives(body, "logprobs"));
  out.logprobs = alternatives.value_or(logprobs_off);
  TRY(read_stream_options(body, out));
  TRY(read_timings(body, out));
  out.session_key = TRY(read_session_key(body));
  return out;
}

}  // namespace hearth::gateway::openai
