#include "hearth/gateway/openai/chunks.h"

#include "hearth/gateway/openai/errors.h"
#include "hearth/gateway/openai/usage.h"
#include "hearth/net/sse.h"

namespace hearth::gateway::openai {

void send_chunk(const Json& chunk, std::string& out) { out += net::sse_event("", dump_json(chunk)); }

void send_heartbeat(const PromptRead& read, std::string& out) {
  out += read.is_being_read() ? reading_comment(read) : net::sse_comment("working");
}

void send_usage(Json head, const AnswerEnd& end, bool tells_timings, std::string& out) {
  head.set("choices", Json::array());
  head.set("usage", completion_usage_json(end.usage));
  if (tells_timings) set_timings(end, head);
  send_chunk(head, out);
}

void send_done(std::string& out) { out += net::sse_event("", "[DONE]"); }

void send_error(const ApiError& error, std::string& out) { send_chunk(error_body(error), out); }

Json answer_head(const AnswerInfo& info, std::string_view id_prefix, std::string_view object) {
  return Json::object({{"id", std::string(id_prefix) + info.id},
                       {"object", object},
                       {"created", info.created_s},
                       {"model", info.model}});
}

std::string_view finish_reason(AnswerEnd::Reason reason) {
  switch (reason) {
    case AnswerEnd::Reason::tokens_max: return "length";
    case AnswerEnd::Reason::calls: return "tool_calls";
    case AnswerEnd::Reason::end_turn:
    case AnswerEnd::Reason::stop_string: break;
  }
  return "stop";
}

}  // namespace hearth::gateway::openai
