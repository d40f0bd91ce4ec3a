#include "tests/support/gateway_json.h"

#include <algorithm>
#include <array>

#include "hearth/base/check.h"

namespace hearth::test {
namespace {

using namespace hearth::gateway;

constexpr std::array<std::string_view, 11> error_kinds = {
    "invalid_request", "authentication", "permission", "not_found", "too_large",
    "prompt_too_long", "rate_limit",     "overloaded", "timed_out", "internal",
    "bad_upstream"};
constexpr std::array<std::string_view, 4> end_reasons = {"end_turn", "tokens_max", "stop_string",
                                                         "calls"};
constexpr std::array<std::string_view, 4> choice_kinds = {"automatic", "none", "required", "named"};
constexpr std::array<std::string_view, 3> format_kinds = {"text", "json_object", "json_schema"};

template <class Kind, std::size_t n>
std::string_view word(const std::array<std::string_view, n>& words, Kind kind) {
  return words[static_cast<std::size_t>(kind)];
}

template <class Kind, std::size_t n>
Kind kind_of(const std::array<std::string_view, n>& words, std::string_view text) {
  const auto found = std::find(words.begin(), words.end(), text);
  CHECK(found != words.end());
  return static_cast<Kind>(found - words.begin());
}

std::string text_of(const Json& object, std::string_view key) {
  return get_or<std::string>(object, key, "").value();
}

std::uint32_t number_of(const Json& object, std::string_view key) {
  return static_cast<std::uint32_t>(get_or<std::uint64_t>(object, key, 0).value());
}

void set_text(Json& out, const char* key, const std::string& text) {
  if (!text.empty()) out.set(key, text);
}

template <class T>
void set_some(Json& out, const char* key, const std::optional<T>& value) {
  if (value) out.set(key, Json(*value));
}

Json strings_json(const std::vector<std::string>& texts) {
  Json out = Json::array();
  for (const std::string& text : texts) out.push(text);
  return out;
}

Json tokens_json(const std::vector<Token>& tokens) {
  Json out = Json::array();
  for (const Token token : tokens) out.push(token);
  return out;
}

Json tool_dump(const chat::Tool& tool) {
  Json out = Json::object({{"name", tool.name}});
  set_text(out, "description", tool.description);
  if (!tool.parameters.is_null()) out.set("parameters", tool.parameters);
  return out;
}

Json call_dump(const chat::ToolCall& call) {
  Json out = Json::object({{"id", call.id}, {"name", call.name}, {"arguments", call.arguments}});
  set_text(out, "raw_arguments", call.raw_arguments);
  return out;
}

Json message_dump(const chat::Message& message) {
  Json out = Json::object({{"role", chat::role_name(message.role)}});
  set_text(out, "call_id", message.call_id);
  set_text(out, "thinking", message.thinking);
  set_text(out, "handle", message.handle);
  out.set("text", message.text);
  for (const auto& call : message.calls) {
    if (out.find("calls") == nullptr) out.set("calls", Json::array());
    out.find("calls")->push(call_dump(call));
  }
  return out;
}

Json sampling_dump(const SamplingChoice& choice) {
  Json out = Json::object();
  set_some(out, "temperature", choice.temperature);
  set_some(out, "top_p", choice.top_p);
  set_some(out, "top_k", choice.top_k);
  set_some(out, "min_p", choice.min_p);
  set_some(out, "repeat_penalty", choice.repeat_penalty);
  set_some(out, "frequency_penalty", choice.frequency_penalty);
  set_some(out, "presence_penalty", choice.presence_penalty);
  set_some(out, "seed", choice.seed);
  if (!choice.logit_bias.empty()) {
    Json& bias = out.set("logit_bias", Json::array());
    for (const auto& [token, value] : choice.logit_bias) bias.push(Json::array({token, value}));
  }
  return out;
}

void dump_prompt(Json& out, const ChatRequest& request) {
  if (request.raw_prompt) {
    const auto* text = std::get_if<std::string>(&*request.raw_prompt);
    out.set("raw_prompt", text != nullptr
                              ? Json(*text)
                              : tokens_json(std::get<std::vector<Token>>(*request.raw_prompt)));
  }
  if (!request.conversation.tools.empty()) out.set("tools", Json::array());
  for (const auto& tool : request.conversation.tools) out.find("tools")->push(tool_dump(tool));
  if (!request.conversation.messages.empty()) out.set("messages", Json::array());
  for (const auto& message : request.conversation.messages) {
    out.find("messages")->push(message_dump(message));
  }
}

void dump_constraints(Json& out, const ChatRequest& request) {
  const chat::ToolChoice& choice = request.tool_choice;
  if (choice.kind != chat::ToolChoice::Kind::automatic || !choice.parallel) {
    Json& made = out.set("tool_choice", Json::object({{"kind", word(choice_kinds, choice.kind)}}));
    set_text(made, "name", choice.name);
    if (!choice.parallel) made.set("parallel", false);
  }
  if (request.response_format.kind != chat::ResponseFormat::Kind::text) {
    Json& made = out.set("response_format",
                         Json::object({{"kind", word(format_kinds, request.response_format.kind)}}));
    if (!request.response_format.schema.is_null()) made.set("schema", request.response_format.schema);
  }
}

std::vector<TokenChoice> choices_from_json(const Json& json) {
  std::vector<TokenChoice> out;
  for (const Json& item : json.as_array()) {
    TokenChoice& made = out.emplace_back();
    made.text = text_of(item, "text");
    made.logprob = get_or<double>(item, "logprob", 0).value();
    const Json* top = item.find("top");
    if (top == nullptr) continue;
    for (const Json& pair : top->as_array()) {
      made.top.emplace_back(pair.as_array()[0].as_string(), pair.as_array()[1].as_double());
    }
  }
  return out;
}

Usage usage_from_json(const Json& json) {
  return {.prompt_tokens = number_of(json, "prompt"),
          .cached_tokens = number_of(json, "cached"),
          .answer_tokens = number_of(json, "answer"),
          .thinking_tokens = number_of(json, "thinking")};
}

chat::AnswerTimes times_from_json(const Json& json) {
  chat::AnswerTimes out{.prompt_ms = json.find("prompt_ms")->as_double(), .answer_ms = json.find("answer_ms")->as_double()};
  if (const Json* by = json.find("prefilled_by")) {
    out.hand_off = model::HandOffFacts{.prefilled_by = by->as_string(), .handed_tokens = number_of(json, "handed_tokens"), .chunks = 2,
                                       .bytes = 4'096, .hidden_fraction = 0.5, .tail_ms = 1.5};
  }
  return out;
}

AnswerEnd end_from_json(const Json& json) {
  AnswerEnd out;
  out.reason = kind_of<AnswerEnd::Reason>(end_reasons, text_of(json, "reason"));
  out.stop_string = text_of(json, "stop_string");
  if (const Json* usage = json.find("usage")) out.usage = usage_from_json(*usage);
  if (const Json* times = json.find("times")) out.times = times_from_json(*times);
  return out;
}

ApiError error_from_json(const Json& json) {
  ApiError out{.kind = kind_of<ApiError::Kind>(error_kinds, text_of(json, "kind")),
               .message = text_of(json, "message"),
               .field = text_of(json, "field"),
               .prompt_tokens = number_of(json, "prompt_tokens"),
               .prompt_tokens_max = number_of(json, "prompt_tokens_max")};
  if (json.find("retry_after_s") != nullptr) {
    out.retry_after = std::chrono::seconds(number_of(json, "retry_after_s"));
  }
  return out;
}

AnswerEvent call_from_json(const Json& json) {
  return {.kind = AnswerEvent::Kind::call,
          .text = text_of(json, "arguments"),
          .id = text_of(json, "id"),
          .name = text_of(json, "name")};
}

}  // namespace

Json request_json(const ChatRequest& request) {
  Json out = Json::object({{"model", request.model}});
  dump_prompt(out, request);
  dump_constraints(out, request);
  set_some(out, "thinking", request.thinking);
  set_some(out, "tokens_max", request.tokens_max);
  if (!request.stop_strings.empty()) out.set("stop_strings", strings_json(request.stop_strings));
  if (request.ignore_eos) out.set("ignore_eos", true);
  Json sampling = sampling_dump(request.sampling);
  if (!sampling.as_object().empty()) out.set("sampling", std::move(sampling));
  if (request.logprobs >= 0) out.set("logprobs", request.logprobs);
  if (request.stream) out.set("stream", true);
  set_text(out, "session_key", request.session_key);
  if (request.marks_cache) out.set("marks_cache", true);
  if (!request.extra.is_null()) out.set("extra", request.extra);
  if (!request.notes.empty()) out.set("notes", strings_json(request.notes));
  return out;
}

Json error_json(const ApiError& error) {
  Json out = Json::object({{"kind", word(error_kinds, error.kind)}, {"message", error.message}});
  set_text(out, "field", error.field);
  return out;
}

WriterStep step_from_json(const Json& json) {
  WriterStep out;
  const auto& [key, value] = json.as_object().front();
  if (key == "begin") {
    out.kind = WriterStep::Kind::begin;
    out.usage = usage_from_json(value);
  } else if (key == "heartbeat") {
    out.kind = WriterStep::Kind::heartbeat;
    if (value.is_array()) {
      const auto count = [&](std::size_t i) { return static_cast<std::uint32_t>(value.as_array()[i].as_integer()); };
      out.read = {.tokens_done = count(0), .tokens_total = count(1)};
    }
  } else if (key == "end") {
    out.kind = WriterStep::Kind::end;
    out.end = end_from_json(value);
  } else if (key == "error") {
    out.kind = WriterStep::Kind::error;
    out.error = error_from_json(value);
  } else if (key == "call") {
    out.kind = WriterStep::Kind::event;
    out.event = call_from_json(value);
  } else {
    CHECK(key == "text" || key == "thinking");
    out.kind = WriterStep::Kind::event;
    out.event.kind = key == "text" ? AnswerEvent::Kind::text : AnswerEvent::Kind::thinking;
    out.event.text = value.as_string();
    if (const Json* choices = json.find("choices")) out.event.choices = choices_from_json(*choices);
  }
  return out;
}

std::vector<WriterStep> steps_from_json(const Json& json) {
  std::vector<WriterStep> out;
  for (const Json& item : json.as_array()) out.push_back(step_from_json(item));
  return out;
}

void apply(const WriterStep& step, AnswerWriter& writer, std::string& out) {
  switch (step.kind) {
    case WriterStep::Kind::begin: return writer.begin(step.usage, out);
    case WriterStep::Kind::heartbeat: return writer.heartbeat(step.read, out);
    case WriterStep::Kind::event: return writer.event(step.event, out);
    case WriterStep::Kind::end: return writer.end(step.end, out);
    case WriterStep::Kind::error: return writer.error(step.error, out);
  }
}

WholeAnswer whole_answer(const std::vector<WriterStep>& steps) {
  WholeAnswer out;
  for (const WriterStep& step : steps) {
    if (step.kind == WriterStep::Kind::end) out.end = step.end;
    if (step.kind != WriterStep::Kind::event) continue;
    const AnswerEvent& event = step.event;
    if (event.kind == AnswerEvent::Kind::call || out.events.empty() ||
        out.events.back().kind != event.kind) {
      out.events.push_back(event);
      continue;
    }
    AnswerEvent& last = out.events.back();
    last.text += event.text;
    last.choices.insert(last.choices.end(), event.choices.begin(), event.choices.end());
  }
  return out;
}

AnswerInfo golden_info() {
  return {.id = "0123456789abcdefghijABCD",
          .handle = "hearth-turn-1",
          .model = "kimi-k2.6",
          .created_s = 1'790'000'000};
}

}  // namespace hearth::test
