#include "hearth/upstream/pass.h"

#include <algorithm>
#include <array>

#include "hearth/upstream/codec.h"
#include "hearth/upstream/members.h"

namespace hearth::upstream {
namespace {

constexpr std::size_t whole_bytes_max = 16u << 20;
// The service's own signatures are hundreds of characters; ours, and those of others, are short or absent.
constexpr std::size_t signature_bytes_min = 64;
constexpr std::array<std::string_view, 2> dialect_headers = {"anthropic-version", "anthropic-beta"};

bool is_foreign_thinking(const Json& block) {
  return text_of(block, "type") == "thinking" && text_of(block, "signature").size() < signature_bytes_min;
}

// A turn that was nothing but such thinking is left out.
void drop_foreign_thinking(Json& messages) {
  auto& list = messages.as_array();
  for (Json& message : list) {
    Json* content = message.find("content");
    if (content == nullptr || !content->is_array() || text_of(message, "role") != "assistant") continue;
    std::erase_if(content->as_array(), is_foreign_thinking);
  }
  std::erase_if(list, [](const Json& message) {
    const Json* content = message.find("content");
    return content != nullptr && content->is_array() && content->as_array().empty();
  });
}

}  // namespace

std::string pass_body(const EndpointSpec& spec, const Json& body) {
  Json out = body;
  if (!asks_as_requests_say(spec)) out.set("model", spec.model);
  out.erase("metadata");
  if (Json* messages = out.find("messages"); messages != nullptr && messages->is_array()) drop_foreign_thinking(*messages);
  return dump_json(out);
}

net::Headers pass_headers(const net::Headers& of_client) {
  net::Headers out{{"Content-Type", "application/json"}, {"Accept", "text/event-stream, application/json"}};
  for (const std::string_view name : dialect_headers) {
    if (const std::string* value = of_client.find(name)) out.set(name, *value);
  }
  if (!out.contains("anthropic-version")) out.set("anthropic-version", "2023-06-01");
  return out;
}

struct PassMeter::State {
  std::unique_ptr<AnswerReader> reader;  // null: not streamed
  std::string whole;
  bool lost = false;
  std::optional<Answered> answered;
};

PassMeter::PassMeter(const EndpointSpec& spec, bool streamed) : state_(std::make_unique<State>()) {
  if (streamed) state_->reader = make_messages_reader(spec, {.model = spec.model == "*" ? "" : spec.model});
}
PassMeter::~PassMeter() = default;

void PassMeter::push(ByteSpan piece) {
  State& state = *state_;
  if (state.lost) return;
  if (!state.reader) {
    state.lost = state.whole.size() + piece.size() > whole_bytes_max;
    if (!state.lost) state.whole += as_text(piece);
    return;
  }
  std::vector<Arrival> arrived;
  state.lost = !state.reader->push(piece, {}, arrived);
  for (Arrival& one : arrived) {
    if (auto* answered = std::get_if<Answered>(&one.what)) state.answered = std::move(*answered);
  }
}

std::optional<Answered> PassMeter::answered() {
  State& state = *state_;
  if (state.reader || state.lost) return state.answered;
  const auto json = parse_json(state.whole);
  const Json* usage = json ? json->find("usage") : nullptr;
  if (usage == nullptr) return std::nullopt;
  Answered out{.usage_known = true, .cache_write_tokens = count_of(*usage, "cache_creation_input_tokens"),
               .model = text_of(*json, "model"), .reason = text_of(*json, "stop_reason")};
  out.end.usage.cached_tokens = count_of(*usage, "cache_read_input_tokens");
  out.end.usage.prompt_tokens = count_of(*usage, "input_tokens") + out.end.usage.cached_tokens + out.cache_write_tokens;
  out.end.usage.answer_tokens = count_of(*usage, "output_tokens");
  return out;
}

}  // namespace hearth::upstream
