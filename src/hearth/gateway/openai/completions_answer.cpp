#include "hearth/gateway/openai/completions_answer.h"

#include "hearth/gateway/openai/chunks.h"
#include "hearth/gateway/openai/generation.h"
#include "hearth/gateway/openai/logprobs.h"
#include "hearth/gateway/openai/usage.h"

namespace hearth::gateway::openai {
namespace {

constexpr std::string_view id_prefix = "cmpl-";
constexpr std::string_view object = "text_completion";

Json choice_json(std::string_view text, Json logprobs, Json finish_reason) {
  return Json::object({{"index", 0},
                       {"text", text},
                       {"logprobs", std::move(logprobs)},
                       {"finish_reason", std::move(finish_reason)}});
}

class CompletionsWriter final : public AnswerWriter {
 public:
  CompletionsWriter(const AnswerInfo& info, const ChatRequest& request)
      : head_(answer_head(info, id_prefix, object)),
        includes_usage_(includes_usage(request)),
        tells_timings_(tells_timings(request)),
        logprobs_(request.logprobs) {}

  // There is no role to tell; a comment shows that the stream has begun.
  void begin(const Usage&, std::string& out) override { send_heartbeat({}, out); }
  void heartbeat(const PromptRead& read, std::string& out) override { send_heartbeat(read, out); }

  void event(const AnswerEvent& event, std::string& out) override {
    if (event.kind != AnswerEvent::Kind::text || event.text.empty()) return;
    Json logprobs;
    if (logprobs_ != logprobs_off && !event.choices.empty()) {
      logprobs = token_columns_json(event.choices, logprobs_, offset_);
    }
    send(choice_json(event.text, std::move(logprobs), nullptr), out);
  }

  void end(const AnswerEnd& end, std::string& out) override {
    Json chunk = chunk_with(choice_json("", nullptr, finish_reason(end.reason)));
    if (tells_timings_ && !includes_usage_) set_timings(end, chunk);
    send_chunk(chunk, out);
    if (includes_usage_) send_usage(head_, end, tells_timings_, out);
    send_done(out);
  }

  void error(const ApiError& error, std::string& out) override { send_error(error, out); }

 private:
  Json chunk_with(Json choice) const {
    Json chunk = head_;
    chunk.set("choices", Json::array({std::move(choice)}));
    if (includes_usage_) chunk.set("usage", nullptr);
    return chunk;
  }
  void send(Json choice, std::string& out) const { send_chunk(chunk_with(std::move(choice)), out); }

  const Json head_;
  const bool includes_usage_, tells_timings_;
  const int logprobs_;
  std::size_t offset_ = 0;  // characters told so far
};

}  // namespace

std::unique_ptr<AnswerWriter> make_completions_writer(const AnswerInfo& info,
                                                      const ChatRequest& request) {
  return std::make_unique<CompletionsWriter>(info, request);
}

Json whole_completion(const AnswerInfo& info, const ChatRequest& request,
                      const WholeAnswer& answer) {
  std::string text;
  std::vector<TokenChoice> choices;
  for (const AnswerEvent& event : answer.events) {
    if (event.kind != AnswerEvent::Kind::text) continue;
    text += event.text;
    choices.insert(choices.end(), event.choices.begin(), event.choices.end());
  }
  Json logprobs;
  std::size_t offset = 0;
  if (request.logprobs != logprobs_off) {
    logprobs = token_columns_json(choices, request.logprobs, offset);
  }
  Json out = answer_head(info, id_prefix, object);
  out.set("choices", Json::array({choice_json(text, std::move(logprobs),
                                              finish_reason(answer.end.reason))}));
  out.set("usage", completion_usage_json(answer.end.usage));
  if (tells_timings(request)) set_timings(answer.end, out);
  return out;
}

}  // namespace hearth::gateway::openai
