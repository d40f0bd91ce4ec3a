#include "hearth/gateway/answer_pipeline.h"

#include <utility>

#include "hearth/chat/ids.h"

namespace hearth::gateway {
namespace {

// What Claude Code makes of arguments that are no JSON; chat::restore_unparsed_input undoes it.
std::string wrap_unparsed(const std::string& raw) {
  return dump_json(Json::object(
      {{"__unparsedToolInput", Json::object({{"raw", raw}, {"len", raw.size()}})}}));
}

TokenChoice choice_of(const engine::TokenDone& token) {
  TokenChoice out{token.piece, token.logprob, {}};
  for (const engine::TokenLogprob& other : token.top) out.top.emplace_back(other.text, other.logprob);
  return out;
}

}  // namespace

AnswerPipeline::AnswerPipeline(PipelineOptions options)
    : options_(std::move(options)), random_(options_.random_seed), content_(options_.stop_strings),
      thinking_(options_.thinking_open) {
  turn_.role = chat::Role::assistant;
}

std::vector<AnswerEvent> AnswerPipeline::take(const engine::TokenDone& token) {
  std::vector<AnswerEvent> out;
  if (stopped()) return out;
  tokens_.push_back(token.token);
  const MarkerToken* marker = marker_of(token.token);
  if (!token.top.empty() && marker == nullptr) choices_.push_back(choice_of(token));
  if (options_.parser == nullptr) {
    show_text(token.text, out);
    return out;
  }
  std::string_view text = token.text;
  if (marker != nullptr && text.ends_with(marker->text)) {
    // Before it stands what was held back as half a character.
    text.remove_suffix(marker->text.size());
    if (!text.empty()) read(options_.parser->push(text, chat::PieceKind::text), out);
    read(options_.parser->push(marker->text, marker->kind), out);
  } else {
    read(options_.parser->push(text, chat::PieceKind::text), out);
  }
  if (thinking_) ++thinking_tokens_;
  return out;
}

const MarkerToken* AnswerPipeline::marker_of(Token token) const {
  if (options_.markers == nullptr) return nullptr;
  const auto found = options_.markers->find(token);
  return found == options_.markers->end() ? nullptr : &found->second;
}

void AnswerPipeline::read(std::vector<chat::Event> parsed, std::vector<AnswerEvent>& out) {
  using Kind = chat::Event::Kind;
  for (chat::Event& event : parsed) {
    if (stopped()) return;
    // Only text has choices: what was collected since belongs to thinking, calls and markup, all
    // but the token at hand when that one ends the thinking.
    const bool is_text = event.kind == Kind::content || event.kind == Kind::finish;
    if (!is_text) choices_.clear();
    if (is_text && thinking_ && choices_.size() > 1) choices_.erase(choices_.begin(), choices_.end() - 1);
    thinking_ = event.kind == Kind::thinking;
    switch (event.kind) {
      case Kind::thinking:
        end_text(out);
        turn_.thinking += event.text;
        out.push_back({.kind = AnswerEvent::Kind::thinking, .text = std::move(event.text)});
        break;
      case Kind::content:
        show_text(event.text, out);
        break;
      case Kind::call_begin:
        end_text(out);
        call_name_ = event.name;
        break;
      case Kind::call_arguments: break;  // call_end has them all
      case Kind::call_end: end_call(event, out); break;
      case Kind::finish: break;
    }
  }
}

void AnswerPipeline::show_text(std::string_view text, std::vector<AnswerEvent>& out) {
  std::string shown = content_.add(text);
  if (stopped()) repeatable_ = false;
  if (shown.empty()) return;
  turn_.text += shown;
  out.push_back({.kind = AnswerEvent::Kind::text, .text = std::move(shown),
                 .choices = std::exchange(choices_, {})});
}

// What could still have become a stop string has not: something else follows.
void AnswerPipeline::end_text(std::vector<AnswerEvent>& out) {
  std::string held = content_.finish();
  if (held.empty()) return;
  turn_.text += held;
  out.push_back({.kind = AnswerEvent::Kind::text, .text = std::move(held),
                 .choices = std::exchange(choices_, {})});
}

void AnswerPipeline::end_call(const chat::Event& event, std::vector<AnswerEvent>& out) {
  const std::string name = std::exchange(call_name_, {});
  // What the limit cut off cannot be run; the reason says why the answer ended. What the model left
  // unfinished by itself is a broken call: the client tells it so.
  if (!event.complete && cut_off_) return;
  chat::ToolCall call;
  call.id = chat::random_outward_id(options_.call_id_prefix, random_);
  call.name = name;
  std::string arguments = event.text;
  if (event.valid_json) {
    if (auto parsed = parse_json(arguments); parsed) call.arguments = *std::move(parsed);
  } else {
    ++calls_malformed_;
    call.raw_arguments = arguments;
    arguments = wrap_unparsed(arguments);
  }
  out.push_back({.kind = AnswerEvent::Kind::call, .text = std::move(arguments), .id = call.id,
                 .name = call.name});
  turn_.calls.push_back(std::move(call));
}

std::vector<AnswerEvent> AnswerPipeline::finish(const engine::Finished& finished) {
  using Engine = engine::FinishReason;
  std::vector<AnswerEvent> out;
  const bool limit =
      finished.reason == Engine::token_limit || finished.reason == Engine::context_full;
  cut_off_ = limit;
  if (!stopped()) {
    if (options_.parser == nullptr) {
      show_text(finished.text, out);
    } else {
      read(options_.parser->push(finished.text, chat::PieceKind::text), out);
      read(options_.parser->finish(limit), out);
    }
    if (!stopped()) end_text(out);
  }
  if (limit) repeatable_ = false;
  if (stopped()) {
    reason_ = AnswerEnd::Reason::stop_string;
  } else if (!turn_.calls.empty()) {
    reason_ = AnswerEnd::Reason::calls;
  } else if (limit) {
    reason_ = AnswerEnd::Reason::tokens_max;
  }
  return out;
}

}  // namespace hearth::gateway
