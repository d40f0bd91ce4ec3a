#include "hearth/gateway/openai/responses_items.h"

#include <fmt/format.h>

#include "hearth/gateway/openai/responses_request.h"

namespace hearth::gateway::openai {
namespace {

using Kind = OutputItem::Kind;

Json reasoning_json(const OutputItem& item, std::string_view status) {
  Json parts = Json::array();
  if (!item.text.empty()) parts.push(part_json(item, item.text));
  Json out = Json::object({{"id", item.id}, {"type", "reasoning"}, {"status", status}});
  out.set("summary", item.as_summary ? parts : Json::array());
  if (!item.as_summary) out.set("content", std::move(parts));
  out.set("encrypted_content", item.handle.empty() ? Json() : Json(item.handle));
  return out;
}

Json message_json(const OutputItem& item, std::string_view status) {
  Json parts = Json::array();
  if (status != "in_progress") parts.push(part_json(item, item.text));
  return Json::object({{"id", item.id},
                       {"type", "message"},
                       {"status", status},
                       {"role", "assistant"},
                       {"content", std::move(parts)}});
}

Json call_json(const OutputItem& item, std::string_view status) {
  const bool custom = item.kind == Kind::custom_call;
  Json out = Json::object({{"id", item.id},
                           {"type", custom ? "custom_tool_call" : "function_call"},
                           {"status", status},
                           {"call_id", item.call_id},
                           {"name", item.name},
                           {custom ? "input" : "arguments", item.text}});
  if (!item.group.empty()) out.set("namespace", item.group);
  return out;
}

}  // namespace

Json part_json(const OutputItem& item, std::string_view text) {
  if (item.kind == Kind::reasoning) {
    return Json::object({{"type", item.as_summary ? "summary_text" : "reasoning_text"},
                         {"text", text}});
  }
  return Json::object({{"type", "output_text"},
                       {"text", text},
                       {"annotations", Json::array()},
                       {"logprobs", text.empty() ? Json::array() : item.logprobs}});
}

std::string item_id(std::string_view prefix, std::string_view answer, std::size_t index) {
  return fmt::format("{}_{}_{}", prefix, answer, index);
}

std::string_view answer_of_item(std::string_view id) {
  const std::size_t first = id.find('_'), last = id.rfind('_');
  return first == last ? std::string_view() : id.substr(first + 1, last - first - 1);
}

Json item_json(const OutputItem& item, std::string_view status) {
  switch (item.kind) {
    case Kind::reasoning: return reasoning_json(item, status);
    case Kind::message: return message_json(item, status);
    case Kind::function_call:
    case Kind::custom_call: break;
  }
  return call_json(item, status);
}

Json response_head(const AnswerInfo& info, const ChatRequest& request) {
  Json out = Json::object({{"id", "resp_" + info.id},
                           {"object", "response"},
                           {"created_at", info.created_s},
                           {"model", info.model},
                           {"background", false},
                           {"previous_response_id", nullptr},
                           {"store", false},
                           {"truncation", "disabled"},
                           {"tools", Json::array()}});
  if (const Json* echo = request.extra.find(echo_key); echo != nullptr && echo->is_object()) {
    for (const auto& [key, value] : echo->as_object()) out.set(key, value);
  }
  return out;
}

}  // namespace hearth::gateway::openai
