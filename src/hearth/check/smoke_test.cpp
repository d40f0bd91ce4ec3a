// What a service's answers say about it. The service is a script; real ones are asked in tests/e2e/check_test.py.
#include "hearth/check/smoke.h"

#include <gtest/gtest.h>

#include <deque>

namespace hearth::check {
namespace {

using chat::AnswerEnd;
using chat::AnswerEvent;

struct Reply {
  std::string text;
  AnswerEnd::Reason reason = AnswerEnd::Reason::end_turn;
  std::string call = {};  // arguments
  bool usage = true;
  chat::Usage counts = {.prompt_tokens = 20, .answer_tokens = 5};
};

class ScriptedStream final : public upstream::AnswerStream {
 public:
  explicit ScriptedStream(const Reply& reply) {
    if (!reply.text.empty()) left_.push_back({.what = upstream::Piece{.event = {.text = reply.text}, .tokens = {}}});
    if (!reply.call.empty()) {
      left_.push_back({.what = upstream::Piece{.event = {.kind = AnswerEvent::Kind::call, .text = reply.call, .name = "get_weather"}, .tokens = {}}});
    }
    upstream::Answered end;
    end.end.reason = reply.reason;
    end.usage_known = reply.usage;
    end.end.usage = reply.counts;
    left_.push_back({.what = end});
  }
  chat::ApiResult<std::optional<upstream::Arrival>> next(Deadline) override {
    upstream::Arrival out = std::move(left_.front());
    left_.pop_front();
    return out;
  }
  const upstream::ExchangeTimes& times() const override { return times_; }

 private:
  std::deque<upstream::Arrival> left_;
  upstream::ExchangeTimes times_;
};

// Answers in the order of the questions: plain, with a stop string, with a tool.
class ScriptedEndpoint final : public upstream::Endpoint {
 public:
  explicit ScriptedEndpoint(std::deque<Reply> replies, upstream::Kind kind = upstream::Kind::hearth) : replies_(std::move(replies)) {
    spec_.name = "here";
    spec_.kind = kind;
  }
  const upstream::EndpointSpec& spec() const override { return spec_; }
  using Endpoint::ask;
  chat::ApiResult<std::unique_ptr<upstream::AnswerStream>> ask(const chat::ChatRequest&, Deadline, const StopToken&) override {
    if (replies_.empty()) return std::unexpected(chat::ApiError{.message = "refused"});
    const Reply reply = replies_.front();
    replies_.pop_front();
    return std::make_unique<ScriptedStream>(reply);
  }
  upstream::EndpointState look(Deadline, const StopToken&) override { return state; }
  upstream::EndpointState state{.alive = true, .ready = true};

 private:
  upstream::EndpointSpec spec_;
  std::deque<Reply> replies_;
};

constexpr const char* good_call = R"({"city":"Oslo"})";
const Reply plain{.text = "one two three"};
const Reply stopped{.text = "one two ", .reason = AnswerEnd::Reason::stop_string};
const Reply called{.text = "", .reason = AnswerEnd::Reason::calls, .call = good_call};

std::vector<std::string> ids(ScriptedEndpoint endpoint, SmokeOptions options = {}) {
  std::vector<std::string> out;
  for (const Finding& one : smoke_findings(smoke(endpoint, options, {}))) {
    out.push_back(one.id + (one.severity == Severity::blocks ? "!" : ""));
  }
  return out;
}

TEST(Smoke, AGoodServiceHasNoFinding) { EXPECT_EQ(ids(ScriptedEndpoint({plain, stopped, called})), std::vector<std::string>{}); }

TEST(Smoke, EachFaultIsFound) {
  using Ids = std::vector<std::string>;
  EXPECT_EQ(ids(ScriptedEndpoint({})), Ids{"smoke.no_answer!"});
  EXPECT_EQ(ids(ScriptedEndpoint({{.text = ""}, called})), Ids{"smoke.empty!"});
  EXPECT_EQ(ids(ScriptedEndpoint({{.text = "one two three", .usage = false}, stopped, called})), Ids{"smoke.usage"});
  EXPECT_EQ(ids(ScriptedEndpoint({{.text = "one two three", .counts = {.prompt_tokens = 3, .cached_tokens = 9, .answer_tokens = 1}}, stopped, called})),
            Ids{"smoke.usage"});
  EXPECT_EQ(ids(ScriptedEndpoint({plain, plain, called})), Ids{"smoke.stop!"});
  EXPECT_EQ(ids(ScriptedEndpoint({plain, stopped, plain})), Ids{"smoke.tool_call!"});
  EXPECT_EQ(ids(ScriptedEndpoint({plain, stopped, plain}, upstream::Kind::llama_server)), Ids{"smoke.tool_call"});
  EXPECT_EQ(ids(ScriptedEndpoint({plain, stopped, {.text = "", .call = R"({"city":"Rome"})"}}, upstream::Kind::llama_server)), Ids{"smoke.tool_call!"});
  EXPECT_EQ(ids(ScriptedEndpoint({plain, stopped, called}), {.known = KnownAnswer{"the code is", " 7391"}}), Ids{"smoke.wrong_answer!"});
  ScriptedEndpoint down({});
  down.state.alive = false;
  EXPECT_EQ(ids(down), Ids{"endpoint.down!"});
}

}  // namespace
}  // namespace hearth::check
