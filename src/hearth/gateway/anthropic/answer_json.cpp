#include "hearth/gateway/anthropic/answer_json.h"

#include <algorithm>

#include "hearth/gateway/anthropic/request.h"

namespace hearth::gateway::anthropic {
namespace {

struct InputCounts {
  std::uint32_t plain = 0;
  std::uint32_t created = 0;
  std::uint32_t read = 0;
};

InputCounts input_counts(const Usage& usage, bool marks_cache) {
  InputCounts out;
  out.read = std::min(usage.cached_tokens, usage.prompt_tokens);
  (marks_cache ? out.created : out.plain) = usage.prompt_tokens - out.read;
  return out;
}

Json output_details(const Usage& usage) {
  return Json::object({{"thinking_tokens", usage.thinking_tokens}});
}

// Ours, and only where there is something to say.
Json with_precision(Json usage_object, const Usage& usage) {
  if (usage.other_precision_tokens > 0) {
    usage_object.set("other_precision_tokens", usage.other_precision_tokens);
  }
  return usage_object;
}

Json unparsed_input(const AnswerEvent& call) {
  return Json::object({{"__unparsedToolInput",
                        Json::object({{"raw", call.text}, {"len", call.text.size()}})}});
}

Json whole_block(const AnswerInfo& info, const ChatRequest& request, const AnswerEvent& event) {
  switch (event.kind) {
    case AnswerEvent::Kind::text: return text_block(event.text);
    case AnswerEvent::Kind::thinking:
      return thinking_block(omits_thinking_text(request) ? "" : event.text, info.handle);
    case AnswerEvent::Kind::call: return tool_use_block(event, call_input(event));
  }
  return Json();
}

bool is_shown(const ChatRequest& request, const AnswerEvent& event) {
  if (event.kind == AnswerEvent::Kind::call) return true;
  if (event.text.empty()) return false;
  return event.kind == AnswerEvent::Kind::text || request.thinking.value_or(false);
}

}  // namespace

Json usage_json(const Usage& usage, bool marks_cache) {
  const InputCounts input = input_counts(usage, marks_cache);
  return with_precision(Json::object(
      {{"input_tokens", input.plain},
       {"cache_creation_input_tokens", input.created},
       {"cache_read_input_tokens", input.read},
       {"cache_creation", Json::object({{"ephemeral_5m_input_tokens", input.created},
                                        {"ephemeral_1h_input_tokens", 0}})},
       {"output_tokens", usage.answer_tokens},
       {"output_tokens_details", output_details(usage)},
       {"server_tool_use", nullptr},
       {"service_tier", "standard"},
       {"inference_geo", nullptr},
       {"speed", nullptr}}), usage);
}

Json delta_usage_json(const Usage& usage, bool marks_cache) {
  const InputCounts input = input_counts(usage, marks_cache);
  return with_precision(Json::object({{"input_tokens", input.plain},
                                      {"cache_creation_input_tokens", input.created},
                                      {"cache_read_input_tokens", input.read},
                                      {"output_tokens", usage.answer_tokens},
                                      {"output_tokens_details", output_details(usage)},
                                      {"server_tool_use", nullptr}}), usage);
}

std::string_view stop_reason(AnswerEnd::Reason reason) {
  switch (reason) {
    case AnswerEnd::Reason::end_turn: return "end_turn";
    case AnswerEnd::Reason::tokens_max: return "max_tokens";
    case AnswerEnd::Reason::stop_string: return "stop_sequence";
    case AnswerEnd::Reason::calls: return "tool_use";
  }
  return "end_turn";
}

Json stop_sequence(const AnswerEnd& end) {
  if (end.reason != AnswerEnd::Reason::stop_string) return nullptr;
  return end.stop_string;
}

Json text_block(std::string_view text) {
  // Without "citations": @ai-sdk/anthropic refuses an answer in which they are null.
  return Json::object({{"type", "text"}, {"text", text}});
}

Json thinking_block(std::string_view thinking, std::string_view signature) {
  return Json::object({{"type", "thinking"}, {"thinking", thinking}, {"signature", signature}});
}

Json tool_use_block(const AnswerEvent& call, Json input) {
  return Json::object({{"type", "tool_use"},
                       {"id", call.id},
                       {"name", call.name},
                       {"input", std::move(input)},
                       {"caller", Json::object({{"type", "direct"}})}});
}

Json call_input(const AnswerEvent& call) {
  auto input = parse_json(call.text);
  if (input && input->is_object()) return *std::move(input);
  return unparsed_input(call);
}

std::string call_input_text(const AnswerEvent& call) {
  const auto input = parse_json(call.text);
  return input && input->is_object() ? call.text : dump_json(unparsed_input(call));
}

Json message_json(const AnswerInfo& info, Json usage) {
  return Json::object({{"id", "msg_" + info.id},
                       {"type", "message"},
                       {"role", "assistant"},
                       {"model", info.model},
                       {"content", Json::array()},
                       {"stop_reason", nullptr},
                       {"stop_sequence", nullptr},
                       {"stop_details", nullptr},
                       {"container", nullptr},
                       {"diagnostics", nullptr},
                       {"usage", std::move(usage)}});
}

AnswerEnd prewarm_end(const AnswerEnd& end) {
  AnswerEnd out = end;
  out.reason = AnswerEnd::Reason::tokens_max;
  out.usage.answer_tokens = 0;
  out.usage.thinking_tokens = 0;
  return out;
}

Json whole_message(const AnswerInfo& info, const ChatRequest& request, const WholeAnswer& answer) {
  const bool prewarm = is_prewarm(request);
  const AnswerEnd end = prewarm ? prewarm_end(answer.end) : answer.end;
  Json out = message_json(info, usage_json(end.usage, request.marks_cache));
  Json& content = *out.find("content");
  for (const AnswerEvent& event : answer.events) {
    if (!prewarm && is_shown(request, event)) content.push(whole_block(info, request, event));
  }
  out.set("stop_reason", stop_reason(end.reason));
  out.set("stop_sequence", stop_sequence(end));
  return out;
}

}  // namespace hearth::gateway::anthropic
