#include "tests/support/chunk_stream.h"

#include <array>

#include "hearth/net/sse.h"

namespace hearth::test {
namespace {

constexpr std::array<std::string_view, 4> head_keys = {"id", "object", "created", "model"};

std::string word(const Json& object, std::string_view key) {
  const Json* value = object.find(key);
  return value != nullptr && value->is_string() ? value->as_string() : std::string();
}

bool is_set(const Json& object, std::string_view key) {
  const Json* value = object.find(key);
  return value != nullptr && !value->is_null();
}

void append_list(Json& to, const Json& from) {
  for (const Json& item : from.as_array()) to.push(item);
}

class Reader {
 public:
  Reader(bool chat, bool with_usage, ChunkStream& out)
      : chat_(chat), with_usage_(with_usage), out_(out) {}

  void read(const net::SseEvent& event) {
    if (!event.event.empty()) complain("an event with a name: " + event.event);
    if (over_) complain("an event after the end");
    if (event.data == "[DONE]") return done();
    const auto chunk = parse_json(event.data);
    if (!chunk || !chunk->is_object()) return complain("data is no JSON object");
    if (const Json* error = chunk->find("error")) return fail(*error);
    head(*chunk);
    const Json* choices = chunk->find("choices");
    if (choices == nullptr || !choices->is_array()) return complain("a chunk without choices");
    if (choices->as_array().empty()) return usage(*chunk);
    const Json* usage = chunk->find("usage");
    if (with_usage_ != (usage != nullptr && usage->is_null())) complain("usage in a text chunk");
    if (choices->as_array().size() != 1) return complain("more than one choice");
    choice(choices->as_array()[0]);
  }

  void finish() {
    if (!over_) return complain("the stream ends without [DONE] or error");
    if (out_.failed) return;
    Json choice = Json::object({{"index", 0}});
    if (chat_) {
      choice.set("message", message());
    } else {
      choice.set("text", text_);
    }
    choice.set("logprobs", logprobs_);
    choice.set("finish_reason", reason_);
    out_.whole.set("choices", Json::array({choice}));
    if (with_usage_) out_.whole.set("usage", usage_);
  }

 private:
  void complain(std::string what) { out_.complaints.push_back(std::move(what)); }

  void fail(const Json& error) {
    for (const char* key : {"message", "type"}) {
      if (word(error, key).empty()) complain(std::string("an error without ") + key);
    }
    for (const char* key : {"param", "code"}) {
      if (error.find(key) == nullptr) complain(std::string("an error without ") + key);
    }
    out_.failed = over_ = true;
  }

  void head(const Json& chunk) {
    for (const std::string_view key : head_keys) {
      const Json* value = chunk.find(key);
      const Json* before = out_.whole.find(key);
      if (value == nullptr) return complain("a chunk without " + std::string(key));
      if (before != nullptr && *before != *value) complain(std::string(key) + " changes");
      out_.whole.set(std::string(key), *value);
    }
    const std::string_view object = chat_ ? "chat.completion.chunk" : "text_completion";
    if (word(chunk, "object") != object) complain("the object is not " + std::string(object));
  }

  void usage(const Json& chunk) {
    if (!with_usage_ || !usage_.is_null()) complain("usage that nobody asked for");
    if (reason_.is_null()) complain("usage before finish_reason");
    const Json* usage = chunk.find("usage");
    if (usage == nullptr || !usage->is_object()) return complain("no usage in the usage chunk");
    usage_ = *usage;
  }

  void choice(const Json& choice) {
    if (!reason_.is_null()) complain("a choice after finish_reason");
    const Json* index = choice.find("index");
    if (index == nullptr || *index != Json(0)) complain("the choice's index is not 0");
    if (chat_) {
      const Json* made = choice.find("delta");
      if (made == nullptr || !made->is_object()) return complain("a choice without delta");
      delta(*made);
    } else {
      text_ += word(choice, "text");
      if (!choice.find("text")) complain("a choice without text");
    }
    if (const Json* logprobs = choice.find("logprobs"); logprobs != nullptr) add(*logprobs);
    if (is_set(choice, "finish_reason")) reason_ = *choice.find("finish_reason");
  }

  void add(const Json& logprobs) {
    if (logprobs.is_null()) return;
    if (logprobs_.is_null()) {
      logprobs_ = logprobs;
      return;
    }
    for (auto& [key, list] : logprobs_.as_object()) {
      if (list.is_array()) append_list(list, *logprobs.find(key));
    }
  }

  void delta(const Json& delta) {
    if (is_set(delta, "role") == started_) complain("the role is not in the first chunk alone");
    started_ = true;
    text_ += word(delta, "content");
    thinking_ += word(delta, "reasoning_content");
    const Json* calls = delta.find("tool_calls");
    if (calls == nullptr) return;
    for (const Json& piece : calls->as_array()) call_piece(piece);
  }

  void call_piece(const Json& piece) {
    const Json* function = piece.find("function");
    const Json* index = piece.find("index");
    if (function == nullptr || index == nullptr || !index->is_integer()) {
      return complain("a piece of a call without function or index");
    }
    const auto count = static_cast<std::int64_t>(calls_.as_array().size());
    const bool opens = index->as_integer() == count;
    if (!opens && index->as_integer() != count - 1) return complain("calls are not in order");
    if (opens != is_set(piece, "id") || opens != is_set(piece, "type") ||
        opens != is_set(*function, "name")) {
      complain("id, type and name belong into the first piece of a call alone");
    }
    if (opens) {
      Json call = piece;
      call.erase("index");
      calls_.push(std::move(call));
      return;
    }
    Json& made = *calls_.as_array().back().find("function");
    made.set("arguments", word(made, "arguments") + word(*function, "arguments"));
  }

  Json message() const {
    const bool called = !calls_.as_array().empty();
    Json out = Json::object({{"role", "assistant"}, {"content", text_}, {"refusal", nullptr}});
    if (called && text_.empty()) out.set("content", nullptr);
    if (!thinking_.empty()) out.set("reasoning_content", thinking_);
    if (called) out.set("tool_calls", calls_);
    return out;
  }

  void done() {
    if (reason_.is_null()) complain("[DONE] before finish_reason");
    if (with_usage_ && usage_.is_null()) complain("[DONE] before usage");
    over_ = true;
  }

  const bool chat_;
  const bool with_usage_;
  ChunkStream& out_;
  std::string text_;
  std::string thinking_;
  Json calls_ = Json::array();
  Json logprobs_;
  Json reason_;
  Json usage_;
  bool started_ = false;
  bool over_ = false;
};

ChunkStream read_stream(std::string_view bytes, bool chat, bool with_usage) {
  ChunkStream out;
  Reader reader(chat, with_usage, out);
  net::SseParser parser;
  const auto pushed = parser.push(std::as_bytes(std::span(bytes)));
  if (!pushed) out.complaints.push_back(pushed.error().message);
  while (const auto event = parser.next()) reader.read(*event);
  if (!bytes.empty() && !bytes.ends_with("\n\n")) out.complaints.push_back("an unfinished event");
  reader.finish();
  return out;
}

}  // namespace

ChunkStream read_chat_stream(std::string_view bytes, bool with_usage) {
  return read_stream(bytes, true, with_usage);
}

ChunkStream read_completion_stream(std::string_view bytes, bool with_usage) {
  return read_stream(bytes, false, with_usage);
}

}  // namespace hearth::test
