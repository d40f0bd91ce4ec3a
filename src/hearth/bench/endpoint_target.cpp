#include "hearth/bench/endpoint_target.h"

#include <fmt/format.h>

#include "hearth/base/guarded.h"

namespace hearth::bench {
namespace {

using upstream::Kind;

constexpr Duration look_time_max = std::chrono::seconds(30);

bool takes_raw_prompts(Kind kind) { return kind == Kind::hearth || kind == Kind::llama_server; }

chat::ChatRequest request_of(const Ask& ask, Kind kind) {
  chat::ChatRequest out;
  if (takes_raw_prompts(kind)) {
    out.raw_prompt = ask.text;
    out.ignore_eos = true;  // as many tokens as were asked for: rates of one length can be compared
  } else {
    out.conversation.messages = {{.role = chat::Role::user, .text = ask.text}};
  }
  out.tokens_max = ask.answer_tokens;
  if (kind != Kind::anthropic) out.sampling.temperature = 0;
  out.stream = true;
  return out;
}

// What arrived, turned into a sample piece by piece.
class Reading {
 public:
  explicit Reading(Instant sent) : sent_(sent) {}

  void take(const upstream::Arrival& arrival) {
    const double at_ms = milliseconds(arrival.at - sent_);
    if (const auto* progress = std::get_if<upstream::PromptProgress>(&arrival.what)) {
      if (sample.progress.empty()) sample.progress.push_back({progress->cached_tokens, 0});
      sample.progress.push_back({progress->tokens_done, at_ms});
    } else if (const auto* piece = std::get_if<upstream::Piece>(&arrival.what)) {
      if (pieces == 0) sample.ttft_ms = at_ms;
      else sample.gaps_ms.push_back(at_ms - sample.total_ms);
      ++pieces;
      sample.total_ms = at_ms;
      if (!piece->event.text.empty()) ++text_pieces;
    } else {
      end(std::get<upstream::Answered>(arrival.what), at_ms);
    }
  }

  Sample sample;
  std::string answered_by;  // model and build, as far as the service tells
  std::size_t pieces = 0, text_pieces = 0;

 private:
  void end(const upstream::Answered& last, double at_ms) {
    if (pieces == 0) sample.ttft_ms = at_ms;
    // The last tokens of an answer that was cut may have no text: half a character is not sent. They were decoded all the same.
    if (pieces == 0 || last.end.reason == chat::AnswerEnd::Reason::tokens_max) sample.total_ms = at_ms;
    if (last.usage_known) {
      sample.prompt_tokens = last.end.usage.prompt_tokens;
      sample.cached_tokens = last.end.usage.cached_tokens;
      sample.answer_tokens = last.end.usage.answer_tokens;
    }
    sample.server_prefill_tok_s = last.server.prompt_tok_s;
    sample.server_decode_tok_s = last.server.answer_tok_s;
    sample.server_prompt_ms = last.server.prompt_ms;
    answered_by = last.model + (last.build.empty() ? "" : " " + last.build);
    sample.findings = last.findings;
    if (const auto& facts = last.server.hand_off; facts && facts->bytes > 0) {
      sample.hand_off = HandOff{.prefilled_by = facts->prefilled_by, .bytes = facts->bytes, .chunks = facts->chunks,
                                .hidden_share = facts->hidden_fraction, .tail_ms = facts->tail_ms, .import_ms = facts->import_ms};
    }
  }
  const Instant sent_;
};

class EndpointTarget final : public Target {
 public:
  EndpointTarget(std::unique_ptr<upstream::Endpoint> endpoint, TargetInfo info)
      : endpoint_(std::move(endpoint)), info_(std::move(info)) {}
  const TargetInfo& info() const override { return info_; }

  Sample ask(const Ask& ask, Deadline deadline, const StopToken& stop) override {
    Reading reading(SteadyClock().now());
    const auto failed = [&](std::string why) {
      reading.sample.failure = why.empty() ? "it gave no reason" : std::move(why);
      return std::move(reading.sample);
    };
    auto stream = endpoint_->ask(request_of(ask, endpoint_->spec().kind), deadline, stop);
    if (!stream) return failed(stream.error().message);
    for (bool ended = false; !ended;) {
      const auto arrival = (*stream)->next(deadline);
      if (!arrival) return failed(arrival.error().message);
      if (!*arrival) return failed("no end of the answer in time");
      ended = std::holds_alternative<upstream::Answered>((*arrival)->what);
      reading.take(**arrival);
    }
    find_change(reading);
    find_lies(reading.sample, {.answer_tokens_max = ask.answer_tokens, .pieces = reading.text_pieces,
                               .prompt_bytes = ask.text.size(), .server_prompt_ms = reading.sample.server_prompt_ms});
    return std::move(reading.sample);
  }

 private:
  // Another model or build than the one that answered first: what is measured is no longer one thing.
  void find_change(Reading& reading) {
    const std::string first = first_answered_by_.with([&](std::string& known) {
      if (known.empty()) known = reading.answered_by;
      return known;
    });
    if (reading.answered_by == first) return;
    reading.sample.findings.push_back(fmt::format("answered by '{}'; the first answer was by '{}'", reading.answered_by, first));
  }

  const std::unique_ptr<upstream::Endpoint> endpoint_;
  const TargetInfo info_;
  Guarded<std::string> first_answered_by_;
};

}  // namespace

Result<std::unique_ptr<Target>> make_endpoint_target(std::unique_ptr<upstream::Endpoint> endpoint, const StopToken& stop) {
  const upstream::EndpointSpec& spec = endpoint->spec();
  const auto state = endpoint->look(Deadline::after(look_time_max), stop);
  if (!state.alive) {
    return fail(Code::unavailable, fmt::format("{}: nothing of kind {} answers at {}", spec.name, upstream::kind_name(spec.kind), spec.url));
  }
  TargetInfo info{.name = spec.name, .kind = std::string(upstream::kind_name(spec.kind)), .model = state.model, .build = state.build};
  return std::make_unique<EndpointTarget>(std::move(endpoint), std::move(info));
}

}  // namespace hearth::bench
