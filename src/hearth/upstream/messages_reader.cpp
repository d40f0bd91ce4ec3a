// The answers of the Anthropic API, streamed. Kinds of events and blocks that are not known are passed
// over: its lists are open. What breaks its own order breaks the answer off.

#include <algorithm>

#include "hearth/net/sse.h"
#include "hearth/upstream/codec.h"
#include "hearth/upstream/members.h"

namespace hearth::upstream {
namespace {

constexpr std::size_t call_bytes_max = 64u << 20;

using Event = chat::AnswerEvent;

class MessagesReader final : public AnswerReader {
 public:
  MessagesReader(const EndpointSpec& spec, const chat::ChatRequest& request)
      : spec_(spec), asked_(model_to_ask(spec, request)) {}

  Attempt<> push(ByteSpan piece, Instant at, std::vector<Arrival>& out) override {
    at_ = at;
    out_ = &out;
    if (const auto done = parser_.push(piece); !done) return broken(spec_, "sent an event that is too large");
    while (const auto event = parser_.next()) TRY(take(*event));
    return {};
  }

  Attempt<> finish(Instant, std::vector<Arrival>&) override {
    if (over_) return {};
    return broken(spec_, "broke its answer off");
  }

 private:
  enum class Block : std::uint8_t { none, text, thinking, call, other };

  void give(Piece piece) { out_->push_back({.at = at_, .what = std::move(piece)}); }

  void say(Event::Kind kind, std::string text) {
    if (!text.empty()) give({.event = {.kind = kind, .text = std::move(text)}, .tokens = {}});
  }

  Attempt<> take(const net::SseEvent& event) {
    if (over_) return {};
    const auto json = parse_json(event.data);
    if (!json || !json->is_object()) return broken(spec_, "sent an event that is not a JSON object");
    std::string type = text_of(*json, "type");
    if (type.empty()) type = event.event;
    if (type == "error") {
      const Json* error = json->find("error");
      return std::unexpected(failure_in_stream(spec_, error != nullptr ? *error : *json));
    }
    if (type == "message_start") return start(*json);
    if (type == "content_block_start") return open(*json);
    if (type == "content_block_delta") return add(*json);
    if (type == "content_block_stop") return close();
    if (type == "message_delta") return take_delta(*json);
    if (type == "message_stop") return end();
    return {};
  }

  Attempt<> start(const Json& json) {
    const Json* message = json.find("message");
    if (message == nullptr || !message->is_object()) return broken(spec_, "began an answer without a message");
    set_text(last_.model, *message, "model");
    set_text(last_.answer_id, *message, "id");
    take_usage(*message);
    return {};
  }

  Attempt<> open(const Json& json) {
    if (block_ != Block::none) return broken(spec_, "opened a block within another");
    const Json* block = json.find("content_block");
    if (block == nullptr || !block->is_object()) return broken(spec_, "opened a block without content");
    const std::string type = text_of(*block, "type");
    block_ = type == "text" ? Block::text : type == "thinking" ? Block::thinking : type == "tool_use" ? Block::call : Block::other;
    if (block_ == Block::text) say(Event::Kind::text, text_of(*block, "text"));
    if (block_ == Block::thinking) say(Event::Kind::thinking, text_of(*block, "thinking"));
    if (block_ == Block::other) note("content of another kind was left out");
    if (block_ != Block::call) return {};
    call_ = {.kind = Event::Kind::call, .text = {}, .id = text_of(*block, "id"), .name = text_of(*block, "name")};
    const Json* input = block->find("input");  // whole already, when no pieces follow
    first_input_ = input != nullptr && input->is_object() ? dump_json(*input) : "{}";
    return {};
  }

  Attempt<> add(const Json& json) {
    const Json* delta = json.find("delta");
    if (delta == nullptr || !delta->is_object()) return {};
    const std::string type = text_of(*delta, "type");
    const Block of = type == "text_delta" ? Block::text : type == "thinking_delta" ? Block::thinking
                     : type == "input_json_delta" ? Block::call : Block::other;
    if (of == Block::other || block_ == Block::other) return {};  // signatures, citations, server tools
    if (of != block_) return broken(spec_, "sent a piece into a block of another kind");
    if (of == Block::text) say(Event::Kind::text, text_of(*delta, "text"));
    if (of == Block::thinking) say(Event::Kind::thinking, text_of(*delta, "thinking"));
    if (of != Block::call) return {};
    call_.text += text_of(*delta, "partial_json");
    if (call_.text.size() > call_bytes_max) return broken(spec_, "called a tool with too long arguments");
    return {};
  }

  Attempt<> close() {
    if (std::exchange(block_, Block::none) != Block::call) return {};
    if (call_.name.empty()) return broken(spec_, "called a tool without a name");
    if (call_.text.empty()) call_.text = std::move(first_input_);
    if (!parse_json(call_.text)) note("the arguments of a call are not JSON");
    give({.event = std::move(call_), .tokens = {}});
    ++calls_;
    return {};
  }

  Attempt<> take_delta(const Json& json) {
    if (const Json* delta = json.find("delta"); delta != nullptr && delta->is_object()) {
      set_text(last_.reason, *delta, "stop_reason");
      set_text(last_.end.stop_string, *delta, "stop_sequence");
    }
    take_usage(json);
    return {};
  }

  // Later counts replace earlier ones; a count that is left out stays.
  void take_usage(const Json& holder) {
    const Json* usage = holder.find("usage");
    if (usage == nullptr || !usage->is_object()) return;
    const auto update = [&](std::string_view key, std::uint32_t& count) {
      if (number_of(*usage, key)) count = count_of(*usage, key);
    };
    update("input_tokens", plain_);
    update("cache_read_input_tokens", cached_);
    update("cache_creation_input_tokens", last_.cache_write_tokens);
    update("output_tokens", last_.end.usage.answer_tokens);
    if (const Json* details = usage->find("output_tokens_details"); details != nullptr) {
      last_.end.usage.thinking_tokens = count_of(*details, "thinking_tokens");
    }
  }

  Attempt<> end() {
    if (block_ != Block::none) return broken(spec_, "ended its answer within a block");
    over_ = true;
    using Reason = chat::AnswerEnd::Reason;
    const std::string& reason = last_.reason;
    Reason& out = last_.end.reason;
    out = calls_ > 0 ? Reason::calls : Reason::end_turn;
    if (reason == "max_tokens" || reason == "model_context_window_exceeded") out = Reason::tokens_max;
    if (reason == "stop_sequence") out = Reason::stop_string;
    if (reason.empty()) note("the answer ended without a reason");
    if (reason == "refusal") note("the model declined");
    if (reason == "pause_turn") note("the service paused a turn of its own tools");
    if (reason == "tool_use" && calls_ == 0) return broken(spec_, "announced a tool call and sent none");
    chat::Usage& usage = last_.end.usage;
    usage.prompt_tokens = plain_ + cached_ + last_.cache_write_tokens;
    usage.cached_tokens = cached_;
    usage.thinking_tokens = std::min(usage.thinking_tokens, usage.answer_tokens);
    last_.usage_known = usage.prompt_tokens > 0;
    if (!last_.usage_known) {
      usage = {};
      note("the service told no usage");
    }
    if (is_other_model(asked_, last_.model)) note("another model answered than was asked for");
    out_->push_back({.at = at_, .what = std::move(last_)});
    return {};
  }

  void note(std::string_view what) {
    if (std::ranges::find(last_.findings, what) == last_.findings.end()) last_.findings.emplace_back(what);
  }

  const EndpointSpec spec_;
  const std::string asked_;
  net::SseParser parser_;
  Instant at_{};
  std::vector<Arrival>* out_ = nullptr;  // within push
  Block block_ = Block::none;
  Event call_;
  std::string first_input_;
  std::size_t calls_ = 0;
  std::uint32_t plain_ = 0, cached_ = 0;
  Answered last_;
  bool over_ = false;
};

}  // namespace

std::unique_ptr<AnswerReader> make_messages_reader(const EndpointSpec& spec, const chat::ChatRequest& request) {
  return std::make_unique<MessagesReader>(spec, request);
}

}  // namespace hearth::upstream
