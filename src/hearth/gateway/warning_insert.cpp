#include "hearth/gateway/warning_insert.h"

#include <utility>

#include "hearth/base/json.h"

namespace hearth::gateway {
namespace {

constexpr std::size_t whole_bytes_max = 16u << 20;

std::string type_of(const Json* value) {
  const Json* type = value != nullptr && value->is_object() ? value->find("type") : nullptr;
  return type != nullptr && type->is_string() ? type->as_string() : std::string();
}

bool is_thinking(const Json* block) {
  const std::string type = type_of(block);
  return type == "thinking" || type == "redacted_thinking";
}

std::string event_text(std::string_view name, const Json& data) { return net::sse_event(name, dump_json(data)); }

}  // namespace

std::string WarningInsert::push(ByteSpan piece) {
  if (lost_) return std::string(as_text(piece));
  if (!streamed_) {
    held_ += as_text(piece);
    lost_ = held_.size() > whole_bytes_max;
    return lost_ ? std::exchange(held_, {}) : std::string();
  }
  lost_ = !parser_.push(piece);
  std::string out;
  while (auto event = parser_.next()) out += this->event(*std::move(event));
  return out;
}

std::string WarningInsert::own_block() const {
  return event_text("content_block_start", Json::object({{"type", "content_block_start"}, {"index", blocks_},
                                                         {"content_block", Json::object({{"type", "text"}, {"text", ""}})}})) +
         event_text("content_block_delta", Json::object({{"type", "content_block_delta"}, {"index", blocks_},
                                                         {"delta", Json::object({{"type", "text_delta"}, {"text", text_}})}})) +
         event_text("content_block_stop", Json::object({{"type", "content_block_stop"}, {"index", blocks_}}));
}

std::string WarningInsert::event(net::SseEvent event) {
  auto data = parse_json(event.data);
  const std::string type = data ? type_of(&*data) : std::string();
  std::string out;
  const bool begins = type == "content_block_start";
  if (!inserted_ && ((begins && !is_thinking(data->find("content_block"))) || type == "message_delta")) {
    out = own_block();
    inserted_ = true;
  }
  if (begins) ++blocks_;
  Json* index = type.starts_with("content_block_") ? data->find("index") : nullptr;
  if (index == nullptr || !inserted_) return out + net::sse_event(event.event, event.data);
  if (const auto number = read_json<std::int64_t>(*index, "index")) *index = *number + 1;
  return out + event_text(event.event, *data);
}

std::string WarningInsert::finish() {
  auto answer = parse_json(held_);
  Json* content = answer && type_of(&*answer) == "message" ? answer->find("content") : nullptr;
  if (content == nullptr || !content->is_array()) return std::exchange(held_, {});
  auto& blocks = content->as_array();
  auto at = blocks.begin();
  while (at != blocks.end() && is_thinking(&*at)) ++at;
  blocks.insert(at, Json::object({{"type", "text"}, {"text", text_}}));
  held_.clear();
  return dump_json(*answer);
}

}  // namespace hearth::gateway
