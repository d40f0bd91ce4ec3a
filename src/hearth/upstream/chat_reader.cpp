// The answers of services that speak OpenAI's chat completions, streamed. Members that a service leaves
// out, or has as null, are nothing; what contradicts itself breaks the answer off.

#include <algorithm>
#include <charconv>
#include <map>

#include "hearth/net/sse.h"
#include "hearth/upstream/chat_traits.h"
#include "hearth/upstream/codec.h"
#include "hearth/upstream/members.h"

namespace hearth::upstream {
namespace {

constexpr std::size_t calls_max = 1024;
constexpr std::size_t call_bytes_max = 64u << 20;  // of all calls together

using Event = chat::AnswerEvent;

class ChatReader final : public AnswerReader {
 public:
  ChatReader(const EndpointSpec& spec, const chat::ChatRequest& request)
      : spec_(spec), traits_(chat_traits(spec.kind)), asked_(model_to_ask(spec, request)),
        declares_tools_(!request.conversation.tools.empty()) {
    parser_.on_comment([this](std::string_view text) { comment(text); });
  }

  Attempt<> push(ByteSpan piece, Instant at, std::vector<Arrival>& out) override {
    at_ = at;
    out_ = &out;
    if (const auto done = parser_.push(piece); !done) return broken(spec_, "sent an event that is too large");
    while (const auto event = parser_.next()) TRY(take(event->data));
    return {};
  }

  Attempt<> finish(Instant at, std::vector<Arrival>& out) override {
    at_ = at;
    out_ = &out;
    if (over_) return {};
    if (reason_.empty() || !traits_.may_end_bare) return broken(spec_, "broke its answer off");
    last_.findings.push_back("the stream had no [DONE]");
    return end();
  }

 private:
  template <class T>
  void give(T what) {
    out_->push_back({.at = at_, .what = std::move(what)});
  }

  Attempt<> take(std::string_view data) {
    if (over_) return {};
    if (data == "[DONE]") return end();
    const auto json = parse_json(data);
    if (!json || !json->is_object()) return broken(spec_, "sent an event that is not a JSON object");
    if (const Json* error = json->find("error"); error != nullptr && !error->is_null()) {
      return std::unexpected(failure_in_stream(spec_, *error));
    }
    if (text_of(*json, "object") == "error") return std::unexpected(failure_in_stream(spec_, *json));
    take_facts(*json);
    const Json* choices = json->find("choices");
    if (choices == nullptr || !choices->is_array()) return {};
    for (const Json& choice : choices->as_array()) {
      if (number_of(choice, "index").value_or(0) == 0) TRY(take_choice(choice));
    }
    return {};
  }

  void take_facts(const Json& json) {
    set_text(last_.model, json, "model");
    set_text(last_.build, json, "system_fingerprint");
    set_text(last_.answer_id, json, "id");
    if (const Json* usage = json.find("usage"); usage != nullptr && usage->is_object()) take_usage(*usage);
    if (const Json* times = json.find("timings"); times != nullptr && times->is_object()) take_times(*times);
    if (const Json* facts = json.find("hand_off"); facts != nullptr && facts->is_object()) take_hand_off(*facts);
    if (const Json* progress = json.find("prompt_progress"); progress != nullptr && progress->is_object()) {
      give(PromptProgress{.tokens_done = count_of(*progress, "processed"),
                          .tokens_total = count_of(*progress, "total"),
                          .cached_tokens = count_of(*progress, "cache")});
    }
  }

  void take_usage(const Json& usage) {
    chat::Usage& out = last_.end.usage;
    out.prompt_tokens = count_of(usage, "prompt_tokens");
    out.answer_tokens = count_of(usage, "completion_tokens");
    out.cached_tokens = count_in(usage, "prompt_tokens_details", "cached_tokens");
    out.thinking_tokens = count_in(usage, "completion_tokens_details", "reasoning_tokens");
  }

  void take_times(const Json& times) {
    ServerTimes& out = last_.server;
    out.prompt_ms = number_of(times, "prompt_ms");
    out.answer_ms = number_of(times, "predicted_ms");
    out.prompt_tok_s = number_of(times, "prompt_per_second");
    out.answer_tok_s = number_of(times, "predicted_per_second");
    if (times.find("prompt_n") != nullptr) out.prompt_tokens_computed = count_of(times, "prompt_n");
    if (times.find("predicted_n") != nullptr) out.answer_tokens = count_of(times, "predicted_n");
  }

  void take_hand_off(const Json& facts) {
    last_.server.hand_off = model::HandOffFacts{
        .prefilled_by = text_of(facts, "prefilled_by"),
        .handed_tokens = count_of(facts, "handed_tokens"),
        .held_tokens = count_of(facts, "held_tokens"),
        .memory_tokens = count_of(facts, "memory_tokens"),
        .disk_tokens = count_of(facts, "disk_tokens"),
        .chunks = count_of(facts, "chunks"),
        .refused_chunks = count_of(facts, "refused_chunks"),
        .bytes = static_cast<std::uint64_t>(std::clamp(number_of(facts, "bytes").value_or(0), 0.0, 1e18)),
        .hidden_fraction = std::clamp(number_of(facts, "hidden_fraction").value_or(0), 0.0, 1.0),
        .tail_ms = std::max(0.0, number_of(facts, "tail_ms").value_or(0)),
        .import_ms = number_of(facts, "import_ms")};
  }

  Attempt<> take_choice(const Json& choice) {
    if (const Json* delta = choice.find("delta"); delta != nullptr && delta->is_object()) {
      TRY(take_delta(*delta, choice));
    } else if (const Json* text = choice.find("text"); text != nullptr && text->is_string()) {
      TRY(say(Event::Kind::text, text->as_string(), choice));
    }
    if (const Json* reason = choice.find("finish_reason"); reason != nullptr && reason->is_string()) {
      reason_ = reason->as_string();
    }
    return {};
  }

  Attempt<> take_delta(const Json& delta, const Json& choice) {
    TRY(say(Event::Kind::thinking, text_of(delta, "reasoning_content"), choice));
    TRY(say(Event::Kind::thinking, text_of(delta, "reasoning"), choice));
    TRY(say(Event::Kind::text, content_of(delta), choice));
    if (const std::string refusal = text_of(delta, "refusal"); !refusal.empty()) {
      note("the model declined");
      TRY(say(Event::Kind::text, refusal, choice));
    }
    const Json* calls = delta.find("tool_calls");
    if (calls == nullptr || !calls->is_array()) return {};
    for (const Json& call : calls->as_array()) TRY(take_call(call));
    return {};
  }

  static std::string content_of(const Json& delta) {
    const Json* content = delta.find("content");
    if (content == nullptr || !content->is_array()) return text_of(delta, "content");
    std::string out;
    for (const Json& part : content->as_array()) out += text_of(part, "text");
    return out;
  }

  Attempt<> say(Event::Kind kind, std::string text, const Json& choice) {
    if (text.empty()) return {};
    if (!reason_.empty()) note("text came after the end");
    Piece piece{.event = {.kind = kind, .text = std::move(text)}, .tokens = {}};
    if (kind == Event::Kind::text) take_logprobs(choice, piece);
    give(std::move(piece));
    return {};
  }

  void take_logprobs(const Json& choice, Piece& piece) {
    const Json* logprobs = choice.find("logprobs");
    const Json* content = logprobs == nullptr ? nullptr : logprobs->find("content");
    if (content == nullptr || !content->is_array()) return;
    for (const Json& token : content->as_array()) {
      chat::TokenChoice chosen{.text = text_of(token, "token"), .logprob = number_of(token, "logprob").value_or(0), .top = {}};
      if (const Json* top = token.find("top_logprobs"); top != nullptr && top->is_array()) {
        for (const Json& other : top->as_array()) {
          chosen.top.emplace_back(text_of(other, "token"), number_of(other, "logprob").value_or(0));
        }
      }
      piece.event.choices.push_back(std::move(chosen));
      if (const Json* id = token.find("id"); id != nullptr && id->is_integer()) {
        piece.tokens.push_back(static_cast<Token>(id->as_integer()));
      }
    }
  }

  // Pieces of a call have its index; servers that send whole calls may leave it out.
  Attempt<> take_call(const Json& call) {
    const Json* function = call.find("function");
    if (function == nullptr || !function->is_object()) return {};
    std::string id = text_of(call, "id");
    if (id.empty()) id = text_of(*function, "id");
    const auto told = number_of(call, "index");
    std::int64_t index = told ? static_cast<std::int64_t>(std::clamp(*told, 0.0, 1e6)) : last_index_;
    if (!told && (calls_.empty() || !id.empty())) index = last_index_ + 1;
    if (!calls_.contains(index) && calls_.size() >= calls_max) return broken(spec_, "called too many tools at once");
    last_index_ = index;
    Event& event = calls_[index];
    event.kind = Event::Kind::call;
    if (event.id.empty()) event.id = id;
    if (event.name.empty()) event.name = text_of(*function, "name");
    const Json* arguments = function->find("arguments");
    if (arguments == nullptr) return {};
    const std::string added = arguments->is_string() ? arguments->as_string() : dump_json(*arguments);
    call_bytes_ += added.size();
    if (call_bytes_ > call_bytes_max) return broken(spec_, "called tools with too long arguments");
    if (!arguments->is_null()) event.text += added;
    return {};
  }

  void give_calls() {
    for (auto& [index, event] : calls_) {
      if (event.name.empty()) {
        note("a call without a name was dropped");
        continue;
      }
      if (event.text.empty()) event.text = "{}";
      if (!parse_json(event.text)) note("the arguments of a call are not JSON");
      if (!declares_tools_) note("a tool was called though none was declared");
      give(Piece{.event = std::move(event), .tokens = {}});
      ++calls_given_;
    }
    calls_.clear();
  }

  Attempt<> end() {
    over_ = true;
    if (reason_.empty()) return broken(spec_, "ended its answer without a reason");
    give_calls();
    if (reason_ == "tool_calls" && calls_given_ == 0) return broken(spec_, "announced a tool call and sent none");
    using Reason = chat::AnswerEnd::Reason;
    last_.end.reason = reason_ == "length" ? Reason::tokens_max : calls_given_ > 0 ? Reason::calls : Reason::end_turn;
    if (reason_ == "content_filter") note("a filter of the service ended the answer");
    last_.reason = reason_;
    check_usage();
    if (is_other_model(asked_, last_.model) && spec_.kind != Kind::llama_server) {
      note("another model answered than was asked for");
    }
    give(std::move(last_));
    return {};
  }

  void check_usage() {
    chat::Usage& usage = last_.end.usage;
    last_.usage_known = usage.prompt_tokens > 0;
    if (!last_.usage_known) {
      usage = {};
      return note("the service told no usage");
    }
    if (usage.cached_tokens > usage.prompt_tokens) {
      note("more tokens are said to be cached than the prompt has");
      usage.cached_tokens = usage.prompt_tokens;
    }
    usage.thinking_tokens = std::min(usage.thinking_tokens, usage.answer_tokens);
  }

  void note(std::string_view what) {
    if (std::ranges::find(last_.findings, what) == last_.findings.end()) last_.findings.emplace_back(what);
  }

  // ": 512 of 2048 prompt tokens" of ours, ": keepalive 512/2048" of mlx, ": prefill_progress {...}" and ": generation_stats {...}" of exo.
  void comment(std::string_view text) {
    constexpr std::string_view keepalive = "keepalive ", prefill = "prefill_progress ", stats = "generation_stats ";
    if (text.ends_with(" prompt tokens")) return take_counts(text, " of ");
    if (text.starts_with(keepalive)) return take_counts(text.substr(keepalive.size()), "/");
    if (text.starts_with(prefill)) return take_prefill(text.substr(prefill.size()));
    if (!text.starts_with(stats)) return;
    const auto json = parse_json(text.substr(stats.size()));
    if (!json || !json->is_object()) return;
    last_.server.prompt_tok_s = number_of(*json, "prompt_tps");
    last_.server.answer_tok_s = number_of(*json, "generation_tps");
    if (json->find("generation_tokens") != nullptr) last_.server.answer_tokens = count_of(*json, "generation_tokens");
  }

  void take_counts(std::string_view text, std::string_view between) {
    PromptProgress out;
    const char* const last = text.data() + text.size();
    const auto done = std::from_chars(text.data(), last, out.tokens_done);
    if (done.ec != std::errc()) return;
    if (!std::string_view(done.ptr, static_cast<std::size_t>(last - done.ptr)).starts_with(between)) return;
    if (std::from_chars(done.ptr + between.size(), last, out.tokens_total).ec == std::errc()) give(out);
  }

  void take_prefill(std::string_view text) {
    const auto json = parse_json(text);
    if (!json || !json->is_object()) return;
    const Json* chunk = json->find("PrefillProgressChunk");
    if (chunk == nullptr) chunk = &*json;
    const auto either = [&](std::string_view a, std::string_view b) {
      return chunk->find(a) != nullptr ? count_of(*chunk, a) : count_of(*chunk, b);
    };
    give(PromptProgress{.tokens_done = either("processed_tokens", "processedTokens"),
                        .tokens_total = either("total_tokens", "totalTokens")});
  }

  const EndpointSpec spec_;
  const ChatTraits& traits_;
  const std::string asked_;
  const bool declares_tools_;
  net::SseParser parser_;
  Instant at_{};
  std::vector<Arrival>* out_ = nullptr;  // within push and finish
  std::map<std::int64_t, Event> calls_;
  std::int64_t last_index_ = -1;
  std::size_t calls_given_ = 0;
  std::size_t call_bytes_ = 0;
  std::string reason_;
  Answered last_;
  bool over_ = false;
};

}  // namespace

std::unique_ptr<AnswerReader> make_chat_reader(const EndpointSpec& spec, const chat::ChatRequest& request) {
  return std::make_unique<ChatReader>(spec, request);
}

}  // namespace hearth::upstream
