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
  if (!token.top.empty() && !thinking_ && call_name_.empty()) {
    TokenChoice choice{token.piece, token.logprob, {}};
    for (const engine::TokenLogprob& other : token.top) {
      choice.top.emplace_back(other.text, other.logprob);
    }
    choices_.push_back(std::move(choice));
  }
  if (options_.parser == nullptr) {
    show_text(token.text, out);
    return out;
  }
  const MarkerToken* marker = nullptr;
  if (options_.markers != nullptr) {
    if (const auto found = options_.markers->find(token.token); found != options_.markers->end()) {
      marker = &found->second;
    }
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

void AnswerPipeline::read(std::vector<chat::Event> parsed, std::vector<AnswerEvent>& out) {
  using Kind = chat::Event::Kind;
  for (chat::Event& event : parsed) {
    if (stopped()) return;
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
  choices_.clear();
  if (held.empty()) return;
  turn_.text += held;
  out.push_back({.kind = AnswerEvent::Kind::text, .text = std::move(held)});
}

void AnswerPipeline::end_call(const chat::Event& event, std::vector<AnswerEvent>& out) {
  const std::string name = std::exchange(call_name_, {});
  if (!event.complete) {
    // Half a call cannot be run, and clients choke on it. The reason says why the answer ended.
    repeatable_ = false;
    return;
  }
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
