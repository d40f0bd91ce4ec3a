#pragma once
// What the streams of chat and plain completions have in common: events without names, usage on
// request, and an end that is no JSON.

#include "hearth/gateway/api.h"
#include "hearth/gateway/prompt_read.h"

namespace hearth::gateway::openai {

void send_chunk(const Json& chunk, std::string& out);
// A comment: the clients of these two streams count bytes, not events.
void send_heartbeat(const PromptRead& read, std::string& out);
// The chunk without choices that ends a stream whose client asked for usage; timings are in the last chunk.
void send_usage(Json head, const AnswerEnd& end, bool tells_timings, std::string& out);
void send_done(std::string& out);
void send_error(const ApiError& error, std::string& out);

// {"id","object","created","model"}, to which choices and usage are added.
Json answer_head(const AnswerInfo& info, std::string_view id_prefix, std::string_view object);
// "stop", "length" or "tool_calls".
std::string_view finish_reason(AnswerEnd::Reason reason);

}  // namespace hearth::gateway::openai
