// The request of services that speak OpenAI's chat completions.

#include <algorithm>

#include "hearth/net/url.h"
#include "hearth/upstream/chat_traits.h"
#include "hearth/upstream/codec.h"

namespace hearth::upstream {
namespace {

constexpr std::uint32_t answer_tokens_default = 8192;
constexpr std::size_t guard_bytes_per_token = 3;

Json call_json(const chat::ToolCall& call, bool wants_json) {
  std::string arguments = dump_json(call.arguments);
  if (!call.raw_arguments.empty()) {
    arguments = wants_json ? dump_json(Json::object({{"raw", call.raw_arguments}})) : call.raw_arguments;
  }
  return Json::object({{"id", call.id},
                       {"type", "function"},
                       {"function", Json::object({{"name", call.name}, {"arguments", std::move(arguments)}})}});
}

// Plain strings throughout: exo joins parts with line breaks, mlx takes text parts only.
Json message_json(const chat::Message& message, const EndpointSpec& spec) {
  const ChatTraits& traits = chat_traits(spec.kind);
  Json out = Json::object({{"role", chat::role_name(message.role)}, {"content", message.text}});
  if (message.role == chat::Role::tool) out.set("tool_call_id", message.call_id);
  if (!message.thinking.empty() && !traits.history_thinking.empty()) {
    out.set(std::string(traits.history_thinking), message.thinking);
  }
  if (message.calls.empty()) return out;
  Json calls = Json::array();
  for (const chat::ToolCall& call : message.calls) calls.push(call_json(call, spec.kind == Kind::mlx));
  out.set("tool_calls", std::move(calls));
  return out;
}

Attempt<> set_tools(const EndpointSpec& spec, const chat::ChatRequest& request, Json& body) {
  using Choice = chat::ToolChoice::Kind;
  const ChatTraits& traits = chat_traits(spec.kind);
  const chat::ToolChoice& choice = request.tool_choice;
  if (request.conversation.tools.empty()) return {};
  if (choice.kind == Choice::none && !traits.tool_choice) return {};  // not declared: none can be called
  Json tools = Json::array();
  for (const chat::Tool& tool : request.conversation.tools) tools.push(chat::tool_json(tool));
  body.set("tools", std::move(tools));
  if (choice.kind == Choice::required || choice.kind == Choice::named) {
    if (!traits.tool_choice) return refused("tool_choice", "is not followed by " + spec.name + "; only auto and none are");
    if (choice.kind == Choice::required) {
      body.set("tool_choice", "required");
    } else {
      body.set("tool_choice", Json::object({{"type", "function"}, {"function", Json::object({{"name", choice.name}})}}));
    }
  } else if (choice.kind == Choice::none) {
    body.set("tool_choice", "none");
  }
  if (choice.parallel) return {};
  if (!traits.one_call) return refused("parallel_tool_calls", "false is not followed by " + spec.name);
  body.set("parallel_tool_calls", false);
  return {};
}

Attempt<> set_format(const EndpointSpec& spec, const chat::ChatRequest& request, Json& body) {
  using Format = chat::ResponseFormat::Kind;
  if (request.response_format.kind == Format::text) return {};
  if (!chat_traits(spec.kind).schema) {
    return refused("response_format", "is not enforced by " + spec.name + "; ask for text, or choose another upstream");
  }
  if (request.response_format.kind == Format::json_object) {
    body.set("response_format", Json::object({{"type", "json_object"}}));
  } else {
    body.set("response_format",
             Json::object({{"type", "json_schema"},
                           {"json_schema", Json::object({{"name", "answer"}, {"strict", true},
                                                         {"schema", request.response_format.schema}})}}));
  }
  return {};
}

template <class T>
void set_if(Json& body, std::string_view key, const std::optional<T>& value, bool sent = true) {
  if (value && sent) body.set(std::string(key), *value);
}

void set_sampling(const EndpointSpec& spec, const chat::ChatRequest& request, Json& body) {
  const ChatTraits& traits = chat_traits(spec.kind);
  const chat::SamplingChoice& sampling = request.sampling;
  set_if(body, "temperature", sampling.temperature);
  set_if(body, "top_p", sampling.top_p);
  set_if(body, "top_k", sampling.top_k, traits.more_sampling);
  set_if(body, "min_p", sampling.min_p, traits.more_sampling);
  set_if(body, traits.repeat_key, sampling.repeat_penalty, traits.more_sampling);
  set_if(body, "frequency_penalty", sampling.frequency_penalty);
  set_if(body, "presence_penalty", sampling.presence_penalty);
  set_if(body, "seed", sampling.seed);
  if (traits.sets_defaults && !sampling.temperature) body.set("temperature", 1.0);
  if (sampling.logit_bias.empty() || !traits.logit_bias) return;
  Json bias = Json::object();
  for (const auto& [token, value] : sampling.logit_bias) bias.set(std::to_string(token), value);
  body.set("logit_bias", std::move(bias));
}

// OpenAI's own newer models refuse the older name, which is the only one that many others know.
std::string tokens_key(const EndpointSpec& spec) {
  const auto url = net::parse_url(spec.url);
  const bool openai = spec.kind == Kind::openai && url && url->address.host.ends_with("openai.com");
  return openai ? "max_completion_tokens" : "max_tokens";
}

Attempt<> set_limits(const EndpointSpec& spec, const chat::ChatRequest& request, Json& body) {
  const ChatTraits& traits = chat_traits(spec.kind);
  std::optional<std::uint32_t> tokens_max = request.tokens_max;
  if (tokens_max == 0u && !traits.prompt_only) {
    return refused("max_tokens", "0 (read the prompt only) is not possible with " + spec.name);
  }
  if (!tokens_max && traits.sets_defaults) {
    tokens_max = spec.answer_tokens_max != 0 ? spec.answer_tokens_max : answer_tokens_default;
  }
  if (tokens_max && spec.answer_tokens_max != 0) tokens_max = std::min(*tokens_max, spec.answer_tokens_max);
  set_if(body, tokens_key(spec), tokens_max);
  if (!request.stop_strings.empty()) {
    Json stops = Json::array();
    for (const std::string& stop : request.stop_strings) stops.push(stop);
    body.set("stop", std::move(stops));
  }
  return {};
}

Attempt<> set_logprobs(const EndpointSpec& spec, const chat::ChatRequest& request, Json& body) {
  if (request.logprobs < 0) return {};
  if (!chat_traits(spec.kind).logprobs) return refused("logprobs", "are not told by " + spec.name);
  if (request.raw_prompt) {
    body.set("logprobs", request.logprobs);
    return {};
  }
  body.set("logprobs", true);
  body.set("top_logprobs", request.logprobs);
  return {};
}

void set_thinking(const EndpointSpec& spec, const chat::ChatRequest& request, Json& body) {
  if (!request.thinking || request.raw_prompt) return;
  switch (chat_traits(spec.kind).thinking) {
    case ChatTraits::Thinking::none: return;
    case ChatTraits::Thinking::field: body.set("enable_thinking", *request.thinking); return;
    case ChatTraits::Thinking::template_option:
      body.set("chat_template_kwargs", Json::object({{"enable_thinking", *request.thinking}}));
  }
}

Json prompt_json(const chat::RawPrompt& prompt) {
  if (const auto* text = std::get_if<std::string>(&prompt)) return *text;
  Json out = Json::array();
  for (const Token token : std::get<std::vector<Token>>(prompt)) out.push(token);
  return out;
}

Attempt<> check_window(const EndpointSpec& spec, std::size_t bytes) {
  const bool unguarded = spec.kind == Kind::exo || spec.kind == Kind::mlx;
  const std::size_t tokens = bytes / guard_bytes_per_token;
  if (!unguarded || spec.context_tokens == 0 || tokens <= spec.context_tokens) return {};
  return std::unexpected(Failure{.error = {.kind = chat::ApiError::Kind::prompt_too_long,
                                           .message = "the prompt is longer than the window of " + spec.name,
                                           .prompt_tokens = static_cast<std::uint32_t>(tokens),
                                           .prompt_tokens_max = spec.context_tokens}});
}

}  // namespace

std::string model_to_ask(const EndpointSpec& spec, const chat::ChatRequest& request) {
  const ChatTraits& traits = chat_traits(spec.kind);
  if (!traits.fixed_model.empty()) return std::string(traits.fixed_model);
  return asks_as_requests_say(spec) ? request.model : spec.model;
}

Attempt<WireCall> write_chat_call(const EndpointSpec& spec, const chat::ChatRequest& request) {
  const ChatTraits& traits = chat_traits(spec.kind);
  Json body = Json::object({{"model", model_to_ask(spec, request)}, {"stream", true}});
  if (request.raw_prompt) {
    if (!traits.raw_prompt) return refused("prompt", "without a chat format is not possible with " + spec.name);
    body.set("prompt", prompt_json(*request.raw_prompt));
  } else {
    Json messages = Json::array();
    for (const chat::Message& message : request.conversation.messages) messages.push(message_json(message, spec));
    body.set("messages", std::move(messages));
  }
  if (request.ignore_eos) {
    if (!traits.ignore_eos) return refused("ignore_eos", "is not known to " + spec.name);
    body.set("ignore_eos", true);
  }
  if (request.continues_last) {
    if (!traits.continues) return refused("messages", "an answer that was begun cannot be continued with " + spec.name);
    body.set("continue_final_message", true);
    body.set("add_generation_prompt", false);
  }
  if (traits.usage_option) body.set("stream_options", Json::object({{"include_usage", true}}));
  if (traits.progress) body.set("return_progress", true);
  if (traits.timings) body.set("timings", true);
  TRY(set_tools(spec, request, body));
  TRY(set_format(spec, request, body));
  TRY(set_limits(spec, request, body));
  TRY(set_logprobs(spec, request, body));
  set_sampling(spec, request, body);
  set_thinking(spec, request, body);
  WireCall out{.target = target_below(spec.url, request.raw_prompt ? "/v1/completions" : "/v1/chat/completions"),
               .headers = {{"Content-Type", "application/json"}, {"Accept", "text/event-stream"}},
               .body = dump_json(body)};
  TRY(check_window(spec, out.body.size()));
  return out;
}

}  // namespace hearth::upstream
