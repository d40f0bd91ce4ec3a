#pragma once
// Requests of the Responses API. What its writer needs again is kept in ChatRequest::extra.

#include "hearth/gateway/fields.h"

namespace hearth::gateway::openai {

ApiResult<ChatRequest> read_responses_request(const Json& body);

// Members of ChatRequest::extra.
inline constexpr std::string_view custom_tools_key = "custom_tools";    // {NAME: true}
inline constexpr std::string_view grouped_tools_key = "grouped_tools";  // {FULL: [GROUP, NAME]}
inline constexpr std::string_view summary_key = "summary";  // thinking goes out as a summary
inline constexpr std::string_view echo_key = "echo";        // fields that the answer repeats

}  // namespace hearth::gateway::openai
