#include "tests/support/anthropic_stream.h"

#include <optional>

#include "hearth/net/sse.h"

namespace hearth::test {
namespace {

std::string word(const Json& object, std::string_view key) {
  const Json* value = object.find(key);
  return value != nullptr && value->is_string() ? value->as_string() : std::string();
}

class Reader {
 public:
  explicit Reader(AnthropicStream& out) : out_(out) {}

  void read(const net::SseEvent& event) {
    const auto data = parse_json(event.data);
    if (!data || !data->is_object()) return complain("data is no JSON object");
    if (event.event.empty()) complain("an event without a name");
    if (word(*data, "type") != event.event) complain("name and type differ: " + event.event);
    if (over_) complain("an event after the end: " + event.event);
    if (event.event == "message_start") return message_start(*data);
    if (!started_) return complain(event.event + " before message_start");
    if (event.event == "ping") return;
    if (event.event == "error") return error(*data);
    if (ended_ && event.event != "message_stop") complain(event.event + " after message_delta");
    if (event.event == "content_block_start") return block_start(*data);
    if (event.event == "content_block_delta") return block_delta(*data);
    if (event.event == "content_block_stop") return block_stop(*data);
    if (event.event == "message_delta") return message_delta(*data);
    if (event.event == "message_stop") return message_stop();
    complain("unknown event " + event.event);
  }

  void finish() {
    if (!over_) complain("the stream ends without message_stop or error");
  }

 private:
  void complain(std::string what) { out_.complaints.push_back(std::move(what)); }

  void message_start(const Json& data) {
    if (started_) return complain("a second message_start");
    started_ = true;
    const Json* message = data.find("message");
    if (message == nullptr || message->find("usage") == nullptr) {
      return complain("message_start without message and usage");
    }
    out_.message = *message;
    const Json* content = message->find("content");
    if (content == nullptr || *content != Json::array()) complain("content is not empty at start");
  }

  bool has_index(const Json& data, std::int64_t expected) {
    const Json* index = data.find("index");
    if (index != nullptr && index->is_integer() && index->as_integer() == expected) return true;
    complain("index is not " + std::to_string(expected));
    return false;
  }

  void block_start(const Json& data) {
    if (block_) complain("a block opens in an open block");
    has_index(data, next_index_);
    const Json* block = data.find("content_block");
    if (block == nullptr) return complain("content_block_start without a block");
    block_ = *block;
    arguments_.clear();
    const std::string type = word(*block, "type");
    const bool empty =
        (type == "text" && word(*block, "text").empty()) ||
        (type == "thinking" && word(*block, "thinking").empty()) ||
        (type == "tool_use" && block->find("input") != nullptr &&
         *block->find("input") == Json::object() && !word(*block, "id").empty());
    if (!empty) complain("a block does not start empty: " + type);
  }

  void append(std::string_view key, const Json& delta) {
    block_->set(std::string(key), word(*block_, key) + word(delta, key));
  }

  void block_delta(const Json& data) {
    if (!block_) return complain("a delta outside a block");
    has_index(data, next_index_);
    const Json* delta = data.find("delta");
    if (delta == nullptr) return complain("content_block_delta without a delta");
    const std::string type = word(*delta, "type");
    const std::string block = word(*block_, "type");
    if (type == "text_delta" && block == "text") return append("text", *delta);
    if (type == "thinking_delta" && block == "thinking") return append("thinking", *delta);
    if (type == "signature_delta" && block == "thinking") {
      block_->set("signature", word(*delta, "signature"));
      return;
    }
    if (type == "input_json_delta" && block == "tool_use") {
      arguments_ += word(*delta, "partial_json");
      return;
    }
    complain(type + " in a block of type " + block);
  }

  void block_stop(const Json& data) {
    if (!block_) return complain("a block stops that is not open");
    has_index(data, next_index_);
    if (word(*block_, "type") == "tool_use") {
      const auto input = parse_json(arguments_);
      if (!input || !input->is_object()) complain("arguments are no JSON object: " + arguments_);
      if (input) block_->set("input", *input);
    }
    if (Json* content = out_.message.find("content")) content->push(*block_);
    block_.reset();
    ++next_index_;
  }

  void message_delta(const Json& data) {
    if (block_) complain("message_delta in an open block");
    if (ended_) complain("a second message_delta");
    ended_ = true;
    const Json* delta = data.find("delta");
    const Json* usage = data.find("usage");
    if (delta == nullptr || word(*delta, "stop_reason").empty()) complain("no stop_reason");
    if (usage == nullptr || usage->find("output_tokens") == nullptr) complain("no usage");
    if (delta == nullptr || usage == nullptr || !out_.message.is_object()) return;
    for (const auto& [key, value] : delta->as_object()) out_.message.set(key, value);
    for (const auto& [key, value] : usage->as_object()) out_.message.find("usage")->set(key, value);
  }

  void message_stop() {
    if (!ended_) complain("message_stop before message_delta");
    over_ = true;
  }

  void error(const Json& data) {
    const Json* error = data.find("error");
    if (error == nullptr || word(*error, "type").empty()) complain("an error without a type");
    out_.failed = true;
    over_ = true;
  }

  AnthropicStream& out_;
  std::optional<Json> block_;
  std::string arguments_;
  std::int64_t next_index_ = 0;
  bool started_ = false;
  bool ended_ = false;
  bool over_ = false;
};

}  // namespace

AnthropicStream read_anthropic_stream(std::string_view bytes) {
  AnthropicStream out;
  Reader reader(out);
  net::SseParser parser;
  const auto pushed = parser.push(std::as_bytes(std::span(bytes)));
  if (!pushed) out.complaints.push_back(pushed.error().message);
  while (const auto event = parser.next()) reader.read(*event);
  if (!bytes.empty() && !bytes.ends_with("\n\n")) out.complaints.push_back("an unfinished event");
  reader.finish();
  return out;
}

}  // namespace hearth::test
