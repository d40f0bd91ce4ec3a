#include "hearth/gateway/answer_runner.h"

#include <utility>

namespace hearth::gateway {
namespace {

// A worker that ended while it computed a prompt has said nothing yet: the next one begins anew. Once: a prompt that
// ended two of them would end a third.
constexpr int begins_max = 2;

Instant now() { return std::chrono::steady_clock::now(); }

class Run {
 public:
  Run(const RunnerParts& parts, AnswerPlan plan, AnswerJob& job, const StopToken& stop)
      : parts_(parts), plan_(std::move(plan)), job_(job), stop_(stop), pipeline_(options()) {}

  void run() {
    asked_ = now();
    do begin();
    while (std::exchange(begins_again_, false));
    if (handed_on_) return plan_.otherwise(*handed_on_);
    parts_.metrics.duration.observe(now() - plan_.began);
  }

 private:
  PipelineOptions options() const {
    PipelineOptions out;
    out.stop_strings = plan_.request.stop_strings;
    out.call_id_prefix = plan_.call_id_prefix;
    out.random_seed = plan_.random_seed;
    if (plan_.request.raw_prompt) return out;
    out.parser = parts_.format.make_parser({.tools = plan_.prompt.conversation.tools,
                                            .thinking_open = plan_.prompt.thinking_open,
                                            .token_markers = parts_.prompts.marker_texts()});
    out.markers = &parts_.prompts.markers();
    out.thinking_open = plan_.prompt.thinking_open;
    return out;
  }

  void begin() {
    ++begins_;
    auto stream = parts_.service.generate(plan_.generate, stop_);
    if (!stream) return failed(stream.error());
    stream_ = *std::move(stream);
    job_.drive([this](Deadline deadline) { step(deadline); });
    stream_.reset();  // cancels what was not finished
  }

  void step(Deadline deadline) {
    if (job_.abandon(now(), parts_.grace)) {
      learn();  // its client has what was sent
      ++parts_.metrics.answers_abandoned;
    } else if (const auto taken = read(deadline); !taken) {
      broke_off(taken.error());
    }
  }

  // Beginning may take minutes, and a step is a reader's time: that is done where this one began.
  void broke_off(const Error& error) {
    if (!may_begin_again(error)) return failed(error);
    begins_again_ = true;
    placed_ = false;
    times_ = {};  // a hand-off that the dead worker had taken is none of the next one's
    ++parts_.metrics.answers_begun_again;
    job_.hand_on();
  }
  // Not for labelled answers: locking the vault ends their worker on purpose.
  bool may_begin_again(const Error& error) const {
    return error.code == Code::unavailable && !has_token_ && begins_ < begins_max && !plan_.generate.is_labelled &&
           !stop_.stop_requested();
  }

  Result<> read(Deadline deadline) {
    if (stop_.stop_requested()) return fail(Code::cancelled, "cancelled");
    auto event = stream_->next(deadline);
    if (!event && event.error().code == Code::timed_out) return {};
    if (!event) return std::unexpected(std::move(event.error()));
    return take(*std::move(event));
  }

  void failed(const Error& error) {
    learn();
    if (stop_.stop_requested()) {
      ++parts_.metrics.answers_failed;
      job_.failed(api_error({Code::unavailable, "the server is shutting down"}));
      return;
    }
    ApiError why = api_error(error);
    if (plan_.otherwise && !has_token_ && why.kind != ApiError::Kind::invalid_request) {
      handed_on_ = std::move(why);
      job_.hand_on();
      return;
    }
    ++parts_.metrics.answers_failed;
    job_.failed(std::move(why));
  }

  Result<> take(engine::JobEvent event) {
    if (auto* error = std::get_if<Error>(&event)) return std::unexpected(std::move(*error));
    if (const auto* progress = std::get_if<engine::PromptProgress>(&event)) {
      if (!std::exchange(placed_, true)) start(progress->reused_tokens);
      job_.progress({progress->tokens_done, progress->tokens_total});
    } else if (const auto* done = std::get_if<engine::PromptDone>(&event)) {
      placed_ = true;
      start(done->reused_tokens);
      other_precision_tokens_ = done->foreign_tokens;
      times_.prompt_ms = milliseconds(now() - asked_ - done->queued);
      if (const auto* facts = stream_->hand_off()) times_.hand_off = *facts;
      if (plan_.request.tokens_max == 0U) end(AnswerEnd::Reason::tokens_max);
    } else if (const auto* token = std::get_if<engine::TokenDone>(&event)) {
      if (!std::exchange(has_token_, true)) {
        first_token_ = now();
        parts_.metrics.ttft.observe(first_token_ - plan_.began);
      }
      job_.add(pipeline_.take(*token));
      if (pipeline_.stopped()) finish({});
    } else if (const auto* finished = std::get_if<engine::Finished>(&event)) {
      finish(*finished);
    }
    return {};
  }

  void start(std::uint32_t cached_tokens) {
    // The last token of a prompt is always computed.
    const auto prompt_tokens = static_cast<std::uint32_t>(plan_.prompt.tokens.size());
    cached_tokens_ = std::min(cached_tokens, prompt_tokens - 1);
    job_.started(cached_tokens_);
  }

  void finish(const engine::Finished& finished) {
    // An answer that is cut off here has no end of its own.
    const Duration decode = finished.decode > Duration::zero() ? finished.decode : now() - first_token_;
    if (has_token_) times_.answer_ms = milliseconds(decode);
    job_.add(pipeline_.finish(finished));
    if (!plan_.request.raw_prompt && !plan_.prompt.continues_last && pipeline_.is_repeatable()) {
      chat::Message turn = pipeline_.turn();
      turn.handle = job_.info().handle;
      parts_.prompts.remember(plan_.prompt, turn, pipeline_.tokens(),
                              {plan_.generate.kv_user, plan_.generate.is_labelled});
    }
    end(pipeline_.reason());
  }

  // What of a labelled answer its client may send back, under whatever key.
  void learn() {
    if (parts_.labeller == nullptr || !has_token_) return;
    parts_.labeller->learn_answer(plan_.clearance, plan_.request.conversation.messages, job_.turn());
  }

  void end(AnswerEnd::Reason reason) {
    learn();
    stream_.reset();  // the next request of a client that hears of the end finds everything free
    Metrics& metrics = parts_.metrics;
    AnswerEnd out{.reason = reason, .stop_string = pipeline_.stop_string(), .usage = {}, .times = times_};
    out.usage.prompt_tokens = static_cast<std::uint32_t>(plan_.prompt.tokens.size());
    out.usage.cached_tokens = cached_tokens_;
    out.usage.other_precision_tokens = other_precision_tokens_;
    out.usage.answer_tokens = pipeline_.answer_tokens();
    out.usage.thinking_tokens = pipeline_.thinking_tokens();
    metrics.prompt_tokens += out.usage.prompt_tokens;
    metrics.cached_tokens += out.usage.cached_tokens;
    metrics.answer_tokens += out.usage.answer_tokens;
    metrics.thinking_tokens += out.usage.thinking_tokens;
    metrics.calls += pipeline_.turn().calls.size();
    metrics.calls_malformed += pipeline_.calls_malformed();
    ++metrics.answers_finished;
    job_.ended(std::move(out));
  }

  const RunnerParts& parts_;
  const AnswerPlan plan_;
  AnswerJob& job_;
  const StopToken& stop_;
  AnswerPipeline pipeline_;
  std::unique_ptr<engine::AnswerStream> stream_;
  Instant asked_{}, first_token_{};
  chat::AnswerTimes times_;
  bool placed_ = false;
  bool has_token_ = false;
  int begins_ = 0;
  bool begins_again_ = false;
  std::optional<ApiError> handed_on_;
  std::uint32_t cached_tokens_ = 0;
  std::uint32_t other_precision_tokens_ = 0;
};

}  // namespace

void run_answer(const RunnerParts& parts, AnswerPlan plan, AnswerJob& job, const StopToken& stop) {
  Run(parts, std::move(plan), job, stop).run();
}

}  // namespace hearth::gateway
