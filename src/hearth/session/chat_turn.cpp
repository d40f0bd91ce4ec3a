#include "hearth/session/chat_turn.h"

#include <utility>

namespace hearth::session {
namespace {

// A prompt of 200,000 tokens takes minutes before the first byte; the endpoint finds dead links itself.
constexpr Duration head_time_max = std::chrono::minutes(60);
constexpr Duration read_time = std::chrono::seconds(60);

chat::ChatRequest request_for(chat::Conversation conversation, const AskOptions& options) {
  chat::ChatRequest out;
  out.model = options.model;
  out.conversation = std::move(conversation);
  out.thinking = options.thinking;
  out.tokens_max = options.tokens_max;
  out.sampling = options.sampling;
  out.stream = true;
  return out;
}

class Turn {
 public:
  Turn(Session& session, upstream::Endpoint& endpoint, const AskOptions& options, std::uint32_t window_tokens,
       ChatScreen& screen, const std::function<std::int64_t()>& now_s)
      : session_(session), endpoint_(endpoint), options_(options), screen_(screen), now_s_(now_s) {
    outcome_.use.window_tokens = window_tokens;
  }

  Result<TurnOutcome> run() {
    stop_ = screen_.begin_answer();
    auto done = rounds();
    screen_.end_answer(outcome_.use);
    if (!done) return std::unexpected(std::move(done.error()));
    return outcome_;
  }

 private:
  Result<> rounds() {
    for (int round = 0; round < tool_rounds_max; ++round) {
      answer_ = Node{.message = {.role = chat::Role::assistant}, .told = {}, .at_s = now_s_()};
      const auto asked = ask();
      if (!asked) note_failure(asked.error());
      TRY(keep());
      if (!asked || answer_.message.calls.empty()) return {};
      for (const chat::ToolCall& call : std::exchange(answer_.message.calls, {})) {
        const ToolReply reply = TRY(session_.run_tool(call, now_s_()));
        screen_.tool(call, reply);
      }
    }
    screen_.notice("the model called its tools too often in a row; say something to go on");
    return {};
  }

  void note_failure(const chat::ApiError& error) {
    const bool stopped = stop_.stop_requested();
    const bool too_long = error.kind == chat::ApiError::Kind::prompt_too_long;
    outcome_.end = stopped ? TurnOutcome::End::stopped : too_long ? TurnOutcome::End::too_long : TurnOutcome::End::failed;
    outcome_.error = error;
    answer_.cut = true;
    answer_.message.calls.clear();  // a call that nobody runs has no result to follow it
  }

  Result<> keep() {
    const chat::Message& message = answer_.message;
    if (answer_.cut && message.text.empty()) return {};
    return session_.add(answer_);
  }

  chat::ApiResult<void> ask() {
    const Instant began = std::chrono::steady_clock::now();
    const auto stream = TRY(endpoint_.ask(request_for(session_.conversation(), options_),
                                          Deadline::after(head_time_max), stop_));
    for (;;) {
      const auto arrival = TRY(stream->next(Deadline::after(read_time)));
      if (!arrival) continue;
      if (const auto* progress = std::get_if<upstream::PromptProgress>(&arrival->what)) {
        if (progress->tokens_total > 0) {
          screen_.progress(static_cast<double>(progress->tokens_done) / progress->tokens_total);
        }
      } else if (const auto* piece = std::get_if<upstream::Piece>(&arrival->what)) {
        if (outcome_.to_first_piece == Duration{}) outcome_.to_first_piece = arrival->at - began;
        take(piece->event);
      } else {
        finish(std::get<upstream::Answered>(arrival->what));
        return {};
      }
    }
  }

  void take(const chat::AnswerEvent& event) {
    switch (event.kind) {
      case chat::AnswerEvent::Kind::thinking:
        answer_.message.thinking += event.text;
        return screen_.thinking(event.text);
      case chat::AnswerEvent::Kind::text:
        answer_.message.text += event.text;
        return screen_.text(event.text);
      case chat::AnswerEvent::Kind::call: break;
    }
    chat::ToolCall call{.id = event.id, .name = event.name, .arguments = {}, .raw_arguments = {}};
    auto arguments = parse_json(event.text);
    if (arguments && arguments->is_object()) {
      call.arguments = *std::move(arguments);
    } else {
      call.arguments = Json::object();
      call.raw_arguments = event.text;
    }
    answer_.message.calls.push_back(std::move(call));
  }

  void finish(const upstream::Answered& last) {
    const chat::Usage& usage = last.end.usage;
    answer_.prompt_tokens = usage.prompt_tokens;
    answer_.answer_tokens = usage.answer_tokens;
    outcome_.use.used_tokens = usage.prompt_tokens + usage.answer_tokens;
    outcome_.use.cached_tokens = usage.cached_tokens;
    if (last.end.reason == chat::AnswerEnd::Reason::tokens_max) {
      screen_.notice("the answer ended at its limit of tokens; /retry, or say \"go on\"");
    }
    for (const std::string& finding : last.findings) screen_.notice(finding);
  }

  Session& session_;
  upstream::Endpoint& endpoint_;
  const AskOptions& options_;
  ChatScreen& screen_;
  const std::function<std::int64_t()>& now_s_;
  StopToken stop_;
  TurnOutcome outcome_;
  Node answer_;
};

}  // namespace

Result<TurnOutcome> take_turn(Session& session, upstream::Endpoint& endpoint, const AskOptions& options,
                              std::uint32_t window_tokens, ChatScreen& screen,
                              const std::function<std::int64_t()>& now_s) {
  return Turn(session, endpoint, options, window_tokens, screen, now_s).run();
}

chat::ApiResult<chat::Usage> read_ahead(const chat::Conversation& opening, upstream::Endpoint& endpoint,
                                        const AskOptions& options, const std::function<void(double)>& progress,
                                        const StopToken& stop) {
  chat::ChatRequest request = request_for(opening, options);
  request.tokens_max = 0;
  const auto stream = TRY(endpoint.ask(request, Deadline::after(head_time_max), stop));
  for (;;) {
    const auto arrival = TRY(stream->next(Deadline::after(read_time)));
    if (!arrival) continue;
    if (const auto* at = std::get_if<upstream::PromptProgress>(&arrival->what); at != nullptr && at->tokens_total > 0) {
      progress(static_cast<double>(at->tokens_done) / at->tokens_total);
    } else if (const auto* done = std::get_if<upstream::Answered>(&arrival->what)) {
      return done->end.usage;
    }
  }
}

}  // namespace hearth::session
