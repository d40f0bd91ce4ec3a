#include "hearth/gateway/anthropic/writer.h"

#include "hearth/gateway/anthropic/answer_json.h"
#include "hearth/gateway/anthropic/errors.h"
#include "hearth/gateway/anthropic/handles.h"
#include "hearth/gateway/anthropic/request.h"
#include "hearth/gateway/pieces.h"
#include "hearth/net/sse.h"

namespace hearth::gateway::anthropic {
namespace {

class MessageWriter final : public AnswerWriter {
 public:
  MessageWriter(const AnswerInfo& info, const ChatRequest& request)
      : info_(info),
        shows_thinking_(request.thinking.value_or(false)),
        omits_text_(omits_thinking_text(request)),
        marks_cache_(request.marks_cache),
        prewarm_(is_prewarm(request)) {}

  // A client that asked for thinking gets its block at once: empty deltas in it are the one thing
  // that keeps Claude Code waiting for longer than ten minutes.
  void begin(const Usage& usage, std::string& out) override {
    Usage started = usage;
    started.answer_tokens = 0;
    started.thinking_tokens = 0;
    send("message_start",
         {{"message", message_json(info_, usage_json(started, marks_cache_))}}, out);
    if (shows_thinking_) open(Block::thinking, thinking_block("", ""), out);
  }

  void heartbeat(const PromptRead& read, std::string& out) override {
    out += reading_comment(read);
    if (open_ == Block::thinking) delta("thinking_delta", "thinking", "", out);
    send("ping", {}, out);
  }

  void event(const AnswerEvent& event, std::string& out) override {
    if (prewarm_) return;
    switch (event.kind) {
      case AnswerEvent::Kind::thinking: return thinking(event.text, out);
      case AnswerEvent::Kind::text: return text(event.text, out);
      case AnswerEvent::Kind::call: return call(event, out);
    }
  }

  void end(const AnswerEnd& end, std::string& out) override {
    close(out);
    const AnswerEnd told = prewarm_ ? prewarm_end(end) : end;
    send("message_delta",
         {{"delta", Json::object({{"stop_reason", stop_reason(told.reason)},
                                  {"stop_sequence", stop_sequence(told)},
                                  {"stop_details", nullptr},
                                  {"container", nullptr}})},
          {"usage", delta_usage_json(told.usage, marks_cache_)}},
         out);
    send("message_stop", {}, out);
  }

  void error(const ApiError& error, std::string& out) override {
    out += net::sse_event("error", dump_json(error_body(error, "")));
  }

 private:
  enum class Block : std::uint8_t { none, thinking, text };

  static void send(std::string_view type, Json::Object members, std::string& out) {
    Json data = Json::object({{"type", type}});
    for (auto& [key, value] : members) data.set(std::move(key), std::move(value));
    out += net::sse_event(type, dump_json(data));
  }

  void delta(std::string_view type, const char* key, std::string_view piece,
             std::string& out) const {
    send("content_block_delta",
         {{"index", index_}, {"delta", Json::object({{"type", type}, {key, piece}})}}, out);
  }

  void start(Json block, std::string& out) const {
    send("content_block_start", {{"index", index_}, {"content_block", std::move(block)}}, out);
  }

  void stop(std::string& out) {
    send("content_block_stop", {{"index", index_}}, out);
    ++index_;
  }

  void open(Block kind, Json block, std::string& out) {
    if (open_ == kind) return;
    close(out);
    start(std::move(block), out);
    open_ = kind;
    thought_ = false;
  }

  // A thinking block that never held a thought says so, so that it can be told when it comes back.
  void close(std::string& out) {
    if (open_ == Block::none) return;
    if (open_ == Block::thinking) {
      delta("signature_delta", "signature", thought_ ? info_.handle : heartbeat_handle, out);
    }
    stop(out);
    open_ = Block::none;
  }

  void thinking(const std::string& piece, std::string& out) {
    if (!shows_thinking_ || piece.empty()) return;
    open(Block::thinking, thinking_block("", ""), out);
    thought_ = true;
    if (!omits_text_) delta("thinking_delta", "thinking", piece, out);
  }

  void text(const std::string& piece, std::string& out) {
    if (piece.empty()) return;
    open(Block::text, text_block(""), out);
    delta("text_delta", "text", piece, out);
  }

  void call(const AnswerEvent& call, std::string& out) {
    close(out);
    start(tool_use_block(call, Json::object()), out);
    const std::string input = call_input_text(call);
    for (std::string_view rest = input; !rest.empty();) {
      delta("input_json_delta", "partial_json", take_piece(rest), out);
    }
    stop(out);
  }

  AnswerInfo info_;
  bool shows_thinking_;
  bool omits_text_;
  bool marks_cache_;
  bool prewarm_;
  Block open_ = Block::none;
  bool thought_ = false;  // in the open block
  std::uint32_t index_ = 0;  // of the open block, or of the next
};

}  // namespace

std::unique_ptr<AnswerWriter> make_message_writer(const AnswerInfo& info,
                                                  const ChatRequest& request) {
  return std::make_unique<MessageWriter>(info, request);
}

}  // namespace hearth::gateway::anthropic
