// The request of the Anthropic API (POST /v1/messages), made of the neutral one. Sampling parameters
// are left out: newer models answer 400 to them.

#include <algorithm>
#include <cctype>

#include "hearth/upstream/codec.h"

namespace hearth::upstream {
namespace {

constexpr std::uint32_t answer_tokens_default = 8192;
constexpr std::uint32_t thinking_budget_tokens = 8192;
constexpr std::uint32_t thinking_budget_min = 1024;
constexpr std::string_view version = "2023-06-01";
constexpr std::size_t cached_from_messages = 3;  // a conversation that goes on is worth caching

Json text_block(std::string_view text) { return Json::object({{"type", "text"}, {"text", text}}); }

// Ids made elsewhere may hold what this API refuses; the same id always becomes the same.
std::string plain_id(std::string_view id) {
  std::string out(id);
  for (char& c : out) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0 && c != '_' && c != '-') c = '_';
  }
  return out.empty() ? "call" : out;
}

Json call_block(const chat::ToolCall& call) {
  Json input = call.arguments.is_object() ? call.arguments : Json::object();
  if (!call.raw_arguments.empty()) input = Json::object({{"raw", call.raw_arguments}});
  return Json::object({{"type", "tool_use"}, {"id", plain_id(call.id)}, {"name", call.name}, {"input", std::move(input)}});
}

// Turns of one side that follow one another are one message; empty texts are refused there.
class Turns {
 public:
  void add(std::string_view role, Json block) {
    if (role_ != role) close();
    role_ = role;
    blocks_.push(std::move(block));
  }
  void add_text(std::string_view role, std::string_view text) {
    if (!text.empty()) add(role, text_block(text));
  }
  Json take() {
    close();
    return std::move(messages_);
  }

 private:
  void close() {
    if (!blocks_.as_array().empty()) {
      messages_.push(Json::object({{"role", role_}, {"content", std::move(blocks_)}}));
    }
    blocks_ = Json::array();
  }
  std::string role_;
  Json blocks_ = Json::array();
  Json messages_ = Json::array();
};

void add_message(const chat::Message& message, Turns& turns) {
  switch (message.role) {
    case chat::Role::system:  // in the middle: its place says something, so it is not moved to the front
      return turns.add_text("user", message.text.empty() ? "" : "<system>\n" + message.text + "\n</system>");
    case chat::Role::user: return turns.add_text("user", message.text);
    case chat::Role::tool:
      return turns.add("user", Json::object({{"type", "tool_result"}, {"tool_use_id", plain_id(message.call_id)},
                                             {"content", message.text}}));
    case chat::Role::assistant: break;
  }
  turns.add_text("assistant", message.text);
  for (const chat::ToolCall& call : message.calls) turns.add("assistant", call_block(call));
}

void mark_for_cache(Json& block) {
  block.set("cache_control", Json::object({{"type", "ephemeral"}}));
}

void set_conversation(const chat::ChatRequest& request, Json& body) {
  const auto& messages = request.conversation.messages;
  const auto first = std::ranges::find_if(messages, [](const chat::Message& m) { return m.role != chat::Role::system; });
  Json system = Json::array();
  for (auto message = messages.begin(); message != first; ++message) {
    if (!message->text.empty()) system.push(text_block(message->text));
  }
  Turns turns;
  for (auto message = first; message != messages.end(); ++message) add_message(*message, turns);
  Json out = turns.take();
  if (request.marks_cache || messages.size() >= cached_from_messages) {
    if (!system.as_array().empty()) mark_for_cache(system.as_array().back());
    if (!out.as_array().empty()) mark_for_cache(out.as_array().back().find("content")->as_array().back());
  }
  if (!system.as_array().empty()) body.set("system", std::move(system));
  body.set("messages", std::move(out));
}

void set_tools(const chat::ChatRequest& request, Json& body) {
  if (request.conversation.tools.empty()) return;
  Json tools = Json::array();
  for (const chat::Tool& tool : request.conversation.tools) {
    Json one = Json::object({{"name", tool.name}});
    if (!tool.description.empty()) one.set("description", tool.description);
    one.set("input_schema", tool.parameters.is_object() ? tool.parameters : Json::object({{"type", "object"}}));
    tools.push(std::move(one));
  }
  body.set("tools", std::move(tools));
  using Kind = chat::ToolChoice::Kind;
  const chat::ToolChoice& choice = request.tool_choice;
  if (choice.kind == Kind::automatic && choice.parallel) return;
  Json out = Json::object();
  switch (choice.kind) {
    case Kind::automatic: out.set("type", "auto"); break;
    case Kind::none: out.set("type", "none"); break;
    case Kind::required: out.set("type", "any"); break;
    case Kind::named: out = Json::object({{"type", "tool"}, {"name", choice.name}}); break;
  }
  if (!choice.parallel && choice.kind != Kind::none) out.set("disable_parallel_tool_use", true);
  body.set("tool_choice", std::move(out));
}

// Within a tool loop the service wants its own signed thinking back, which did not come this way.
bool is_in_tool_loop(const chat::ChatRequest& request) {
  const auto& messages = request.conversation.messages;
  return !messages.empty() && messages.back().role == chat::Role::tool;
}

void set_thinking(const chat::ChatRequest& request, std::uint32_t tokens_max, Json& body) {
  const bool forced = request.tool_choice.kind == chat::ToolChoice::Kind::required ||
                      request.tool_choice.kind == chat::ToolChoice::Kind::named;
  if (!request.thinking.value_or(false) || forced || is_in_tool_loop(request)) return;
  const std::uint32_t budget = std::min(thinking_budget_tokens, tokens_max / 2);
  if (budget < thinking_budget_min) return;
  body.set("thinking", Json::object({{"type", "enabled"}, {"budget_tokens", budget}}));
}

Attempt<> set_format(const EndpointSpec& spec, const chat::ChatRequest& request, Json& body) {
  using Format = chat::ResponseFormat::Kind;
  if (request.response_format.kind == Format::text) return {};
  if (request.response_format.kind == Format::json_object) {
    return refused("response_format", "json_object is not known to " + spec.name + "; give a schema");
  }
  body.set("output_config", Json::object({{"format", Json::object({{"type", "json_schema"},
                                                                   {"schema", request.response_format.schema}})}}));
  return {};
}

}  // namespace

Attempt<WireCall> write_messages_call(const EndpointSpec& spec, const chat::ChatRequest& request) {
  if (request.raw_prompt) return refused("prompt", "without a chat format is not possible with " + spec.name);
  if (request.logprobs >= 0) return refused("logprobs", "are not told by " + spec.name);
  const std::uint32_t largest = spec.answer_tokens_max != 0 ? spec.answer_tokens_max : answer_tokens_default;
  std::uint32_t tokens_max = request.tokens_max.value_or(largest);
  if (spec.answer_tokens_max != 0) tokens_max = std::min(tokens_max, largest);
  Json body = Json::object({{"model", model_to_ask(spec, request)}, {"max_tokens", tokens_max}, {"stream", true}});
  set_conversation(request, body);
  set_tools(request, body);
  TRY(set_format(spec, request, body));
  set_thinking(request, tokens_max, body);
  if (!request.stop_strings.empty()) {
    Json stops = Json::array();
    for (const std::string& stop : request.stop_strings) stops.push(stop);
    body.set("stop_sequences", std::move(stops));
  }
  return WireCall{.target = target_below(spec.url, "/v1/messages"),
                  .headers = {{"Content-Type", "application/json"}, {"Accept", "text/event-stream"},
                              {"anthropic-version", std::string(version)}},
                  .body = dump_json(body)};
}

}  // namespace hearth::upstream
