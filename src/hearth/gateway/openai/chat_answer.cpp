#include "hearth/gateway/openai/chat_answer.h"

#include "hearth/gateway/openai/chunks.h"
#include "hearth/gateway/openai/generation.h"
#include "hearth/gateway/openai/logprobs.h"
#include "hearth/gateway/openai/usage.h"
#include "hearth/gateway/pieces.h"

namespace hearth::gateway::openai {
namespace {

constexpr std::string_view id_prefix = "chatcmpl-";

Json call_json(const AnswerEvent& call, std::string_view arguments) {
  return Json::object(
      {{"id", call.id},
       {"type", "function"},
       {"function", Json::object({{"name", call.name}, {"arguments", arguments}})}});
}

Json logprobs_json(const std::vector<TokenChoice>& choices, int alternatives) {
  return Json::object(
      {{"content", token_list_json(choices, alternatives)}, {"refusal", nullptr}});
}

class ChatWriter final : public AnswerWriter {
 public:
  ChatWriter(const AnswerInfo& info, const ChatRequest& request)
      : head_(answer_head(info, id_prefix, "chat.completion.chunk")),
        includes_usage_(includes_usage(request)),
        tells_timings_(tells_timings(request)),
        logprobs_(request.logprobs) {}

  void begin(const Usage&, std::string& out) override {
    send(Json::object({{"role", "assistant"}, {"content", ""}}), {}, out);
  }

  void heartbeat(const PromptRead& read, std::string& out) override { send_heartbeat(read, out); }

  void event(const AnswerEvent& event, std::string& out) override {
    if (event.kind == AnswerEvent::Kind::call) return call(event, out);
    if (event.text.empty()) return;
    if (event.kind == AnswerEvent::Kind::thinking) {
      return send(Json::object({{"reasoning_content", event.text}}), {}, out);
    }
    Choice choice;
    if (logprobs_ != logprobs_off && !event.choices.empty()) {
      choice.logprobs = logprobs_json(event.choices, logprobs_);
    }
    send(Json::object({{"content", event.text}}), std::move(choice), out);
  }

  void end(const AnswerEnd& end, std::string& out) override {
    Json chunk = chunk_with(Json::object(), {.finish_reason = finish_reason(end.reason)});
    if (tells_timings_ && !includes_usage_) set_timings(end, chunk);
    send_chunk(chunk, out);
    if (includes_usage_) send_usage(head_, end, tells_timings_, out);
    send_done(out);
  }

  void error(const ApiError& error, std::string& out) override { send_error(error, out); }

 private:
  struct Choice {
    Json logprobs{};
    Json finish_reason{};
  };

  Json chunk_with(Json delta, Choice choice) const {
    Json chunk = head_;
    chunk.set("choices",
              Json::array({Json::object({{"index", 0},
                                         {"delta", std::move(delta)},
                                         {"logprobs", std::move(choice.logprobs)},
                                         {"finish_reason", std::move(choice.finish_reason)}})}));
    if (includes_usage_) chunk.set("usage", nullptr);
    return chunk;
  }
  void send(Json delta, Choice choice, std::string& out) const {
    send_chunk(chunk_with(std::move(delta), std::move(choice)), out);
  }

  void send_call(Json call, std::string& out) const {
    Json numbered = Json::object({{"index", calls_}});
    for (auto& [key, value] : call.as_object()) numbered.set(key, std::move(value));
    send(Json::object({{"tool_calls", Json::array({std::move(numbered)})}}), {}, out);
  }

  void call(const AnswerEvent& call, std::string& out) {
    send_call(call_json(call, ""), out);
    for (std::string_view rest = call.text; !rest.empty();) {
      const Json function = Json::object({{"arguments", take_piece(rest)}});
      send_call(Json::object({{"function", function}}), out);
    }
    ++calls_;
  }

  const Json head_;
  const bool includes_usage_, tells_timings_;
  const int logprobs_;
  std::uint32_t calls_ = 0;
};

// The parts of an answer that clients see as one each, however they were mixed.
struct Parts {
  std::string text;
  std::string thinking;
  std::vector<TokenChoice> choices;
  Json calls = Json::array();

  explicit Parts(const WholeAnswer& answer) {
    using Kind = AnswerEvent::Kind;
    for (const AnswerEvent& event : answer.events) {
      if (event.kind == Kind::call) calls.push(call_json(event, event.text));
      if (event.kind == Kind::thinking) thinking += event.text;
      if (event.kind != Kind::text) continue;
      text += event.text;
      choices.insert(choices.end(), event.choices.begin(), event.choices.end());
    }
  }
};

}  // namespace

std::unique_ptr<AnswerWriter> make_chat_writer(const AnswerInfo& info, const ChatRequest& request) {
  return std::make_unique<ChatWriter>(info, request);
}

Json whole_chat_answer(const AnswerInfo& info, const ChatRequest& request,
                       const WholeAnswer& answer) {
  Parts parts(answer);
  const bool called = !parts.calls.as_array().empty();
  Json message = Json::object({{"role", "assistant"}, {"content", parts.text}, {"refusal", nullptr}});
  if (called && parts.text.empty()) message.set("content", nullptr);
  if (!parts.thinking.empty()) message.set("reasoning_content", parts.thinking);
  if (called) message.set("tool_calls", std::move(parts.calls));
  Json logprobs;
  if (request.logprobs != logprobs_off) logprobs = logprobs_json(parts.choices, request.logprobs);
  Json out = answer_head(info, id_prefix, "chat.completion");
  out.set("choices",
          Json::array({Json::object({{"index", 0},
                                     {"message", std::move(message)},
                                     {"logprobs", std::move(logprobs)},
                                     {"finish_reason", finish_reason(answer.end.reason)}})}));
  out.set("usage", completion_usage_json(answer.end.usage));
  if (tells_timings(request)) set_timings(answer.end, out);
  return out;
}

}  // namespace hearth::gateway::openai
