#pragma once
// Fields that say how an answer is generated; they are the same in all three dialects.

#include "hearth/gateway/fields.h"

namespace hearth::gateway::openai {

inline constexpr int logprobs_off = -1;

ApiResult<void> expect_body(const Json& body);
ApiResult<std::optional<double>> number_between(const Json& body, std::string_view key,
                                                double smallest, double largest);
// A count of tokens; more than 32 bits is as many as there are.
ApiResult<std::optional<std::uint32_t>> find_tokens(const Json& body, std::string_view key);

// temperature, top_p, top_k, min_p, the penalties, seed and logit_bias.
ApiResult<SamplingChoice> read_sampling(const Json& body);
// stop: a string or a list of strings.
ApiResult<std::vector<std::string>> read_stops(const Json& body);
// How many alternatives are told with a token.
ApiResult<std::optional<int>> find_alternatives(const Json& body, std::string_view key);
// n and best_of: one answer a request.
ApiResult<void> expect_one(const Json& body, std::string_view key);
ApiResult<bool> read_flag(const Json& body, std::string_view key, std::string_view path = {});
// prompt_cache_key, empty when there is none or when it is longer than keys are.
ApiResult<std::string> read_session_key(const Json& body);

// stream_options.include_usage, kept in ChatRequest::extra.
ApiResult<void> read_stream_options(const Json& body, ChatRequest& out);
bool includes_usage(const ChatRequest& request);
// timings: what the answer took is told with its end. Kept in ChatRequest::extra, too.
ApiResult<void> read_timings(const Json& body, ChatRequest& out);
bool tells_timings(const ChatRequest& request);

}  // namespace hearth::gateway::openai
