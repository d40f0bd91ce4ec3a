#include "hearth/bench/endpoint_target.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <deque>

namespace hearth::bench {
namespace {

using upstream::Answered;
using upstream::Arrival;
using Reason = chat::AnswerEnd::Reason;

// What arrives, each so many milliseconds after the request.
struct Script {
  std::deque<std::pair<int, std::variant<upstream::PromptProgress, upstream::Piece, Answered>>> arrivals;
};

class ScriptedStream final : public upstream::AnswerStream {
 public:
  explicit ScriptedStream(Script script) : script_(std::move(script)) {}
  chat::ApiResult<std::optional<Arrival>> next(Deadline) override {
    auto [at_ms, what] = script_.arrivals.front();
    script_.arrivals.pop_front();
    return Arrival{.at = asked_ + std::chrono::milliseconds(at_ms), .what = std::move(what)};
  }
  const upstream::ExchangeTimes& times() const override { return times_; }

 private:
  Script script_;
  const Instant asked_ = SteadyClock().now();
  upstream::ExchangeTimes times_;
};

class ScriptedEndpoint final : public upstream::Endpoint {
 public:
  explicit ScriptedEndpoint(Script script) : script_(std::move(script)) {}
  const upstream::EndpointSpec& spec() const override { return spec_; }
  chat::ApiResult<std::unique_ptr<upstream::AnswerStream>> ask(const chat::ChatRequest&, Deadline, const StopToken&) override {
    return std::make_unique<ScriptedStream>(script_);
  }
  upstream::EndpointState look(Deadline, const StopToken&) override { return {.alive = true}; }

 private:
  const Script script_;
  const upstream::EndpointSpec spec_{.name = "scripted", .kind = upstream::Kind::llama_server};
};

Sample sample_of(Script script) {
  auto target = make_endpoint_target(std::make_unique<ScriptedEndpoint>(std::move(script)), {});
  EXPECT_TRUE(target);
  return (*target)->ask({.text = "four tokens of text", .answer_tokens = 5}, Deadline::after(std::chrono::seconds(5)), {});
}

upstream::Piece piece() { return {.event = {.text = "word"}, .tokens = {}}; }

Answered end(Reason reason) {
  Answered out;
  out.end.reason = reason;
  out.end.usage = {.prompt_tokens = 4, .answer_tokens = 5};
  out.usage_known = true;
  return out;
}

// The clock of the scripted stream starts within the call: a moment later than the one that counts.
constexpr double late_ms = 1000;

TEST(EndpointTarget, LastTokensWithoutTextCountWhereAnAnswerWasCut) {
  const Sample cut = sample_of({{{1000, piece()}, {1400, piece()}, {3000, end(Reason::tokens_max)}}});
  EXPECT_NEAR(cut.ttft_ms, 1000, late_ms);
  EXPECT_DOUBLE_EQ(std::round(cut.total_ms - cut.ttft_ms), 2000);
  EXPECT_NEAR(*cut.tpot_ms(), 500, 0.01);
  EXPECT_EQ(cut.gaps_ms.size(), 1u);
}

TEST(EndpointTarget, AnAnswerThatEndedByItselfCountsToItsLastPiece) {
  const Sample ended = sample_of({{{1000, piece()}, {3000, piece()}, {3700, end(Reason::end_turn)}}});
  EXPECT_DOUBLE_EQ(std::round(ended.total_ms - ended.ttft_ms), 2000);
}

TEST(EndpointTarget, AnAnswerWithoutAnyPieceHasNoDecodeRate) {
  const Sample silent = sample_of({{{2000, end(Reason::end_turn)}}});
  EXPECT_TRUE(silent.is_good());
  EXPECT_DOUBLE_EQ(silent.ttft_ms, silent.total_ms);
  EXPECT_FALSE(silent.tpot_ms());
}

}  // namespace
}  // namespace hearth::bench
