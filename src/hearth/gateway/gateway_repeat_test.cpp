// Requests sent again, clients that leave, and more requests than there is room for.
#include <gtest/gtest.h>

#include <latch>
#include <mutex>
#include <set>

#include "hearth/base/thread.h"
#include "hearth/gateway/test_gateway.h"

namespace hearth::gateway {
namespace {

using test::Gate;
using Counts = test::ScriptedModel::Counts;

const char* const a_call =
    "<|tool_calls_section_begin|><|tool_call_begin|>functions.now:0<|tool_call_argument_begin|>{}"
    "<|tool_call_end|><|tool_calls_section_end|>";

Json ask(bool stream = true) {
  Json body = message_body("hi", stream);
  body.set("tools", *parse_json(R"([{"name": "now", "input_schema": {"type": "object"}}])"));
  return body;
}

std::string id_of(const Json& message) {
  return at(message, {"id"}).as_string() + " " + dump_json(at(message, {"content"}));
}

TEST(GatewayRepeats, ARequestSentAgainJoinsTheAnswerThatRuns) {
  for (const bool first_leaves : {false, true}) {
    SCOPED_TRACE(first_leaves);
    TestGateway home;
    const auto gate = std::make_shared<Gate>();
    home.model->script({.text = a_call, .prompt_gate = gate});
    auto first = home.open("/v1/messages", ask(), one_session);
    if (first_leaves) first.leave();
    auto second = home.open("/v1/messages", ask(), one_session);
    gate->open();
    const auto again = second.answer();
    EXPECT_EQ(again.complaints, std::vector<std::string>{});
    EXPECT_EQ(at(again.message, {"stop_reason"}), Json("tool_use"));
    if (!first_leaves) {
      EXPECT_EQ(first.bytes(), second.bytes());
    }
    EXPECT_EQ(home.model->requests().size(), 1U);
    EXPECT_EQ(home.gateway->metrics().requests_attached, 1U);
  }
}

TEST(GatewayRepeats, ALostStreamIsGivenWholeWithTheSameCalls) {
  TestGateway home;
  home.model->script({.text = a_call});
  auto stream = home.open("/v1/messages", ask(), one_session);
  const auto streamed = stream.answer();
  stream.leave();
  const Json whole = json_of(home.post("/v1/messages", ask(/*stream=*/false), one_session));
  EXPECT_EQ(id_of(whole), id_of(streamed.message));
  EXPECT_EQ(home.model->requests().size(), 1U);
  // What was given whole is given: the same question anew is a new answer.
  const Json next = json_of(home.post("/v1/messages", ask(/*stream=*/false), one_session));
  EXPECT_NE(at(next, {"id"}), at(whole, {"id"}));
  EXPECT_EQ(home.model->requests().size(), 2U);
}

TEST(GatewayRepeats, AServerThatStopsTellsThoseWhoRead) {
  TestGateway home;
  const auto gate = std::make_shared<Gate>();
  home.model->script({.text = "abcdef", .token_gate = gate});
  gate->allow(3);
  auto stream = home.open("/v1/messages", ask());
  ASSERT_TRUE(stream.read_until("content_block_delta"));
  home.gateway->end_answers();
  const auto answer = stream.answer();
  EXPECT_TRUE(answer.failed) << stream.bytes();
  EXPECT_NE(stream.bytes().find("overloaded_error"), std::string::npos);
}

TEST(GatewayRepeats, AStreamCutOffInTheMiddleGoesOnFromTheStart) {
  TestGateway home;
  const auto gate = std::make_shared<Gate>();
  home.model->script({.text = "abcdef", .token_gate = gate});
  gate->allow(3);
  auto first = home.open("/v1/messages", ask(), one_session);
  ASSERT_TRUE(first.read_until("content_block_delta"));
  first.leave();
  auto second = home.open("/v1/messages", ask(), one_session);
  gate->open();
  EXPECT_EQ(at(second.answer().message, {"content", "0", "text"}), Json("abcdef"));
  EXPECT_EQ(home.model->requests().size(), 1U);
}

TEST(GatewayRepeats, WhatIsNotARepetition) {
  struct Case {
    const char* name;
    Json body;
    net::Headers headers;
  };
  Json marked = ask();
  marked.set("seed", 2);
  const Case cases[] = {
      {"another session", ask(), {{"x-claude-code-session-id", "s-2"}}},
      {"another agent", ask(), {{"x-claude-code-session-id", "s-1"}, {"x-claude-code-agent-id", "a"}}},
      {"no session", ask(), {}},
      {"opted out", ask(), {{"x-claude-code-session-id", "s-1"}, {"x-hearth-no-join", "1"}}},
      {"another body", marked, one_session},
      {"another client", ask(), {{"x-claude-code-session-id", "s-1"}, {"x-api-key", "other"}}},
  };
  for (const Case& one : cases) {
    SCOPED_TRACE(one.name);
    TestGateway home;
    const auto gate = std::make_shared<Gate>();
    home.model->script({.text = "first", .prompt_gate = gate});
    home.model->script({.text = "second"});
    auto first = home.open("/v1/messages", ask(), one_session);
    EXPECT_EQ(at(home.open("/v1/messages", one.body, one.headers).answer().message,
                 {"content", "0", "text"}), Json("second"));
    gate->open();
    EXPECT_EQ(at(first.answer().message, {"content", "0", "text"}), Json("first"));
  }
}

TEST(GatewayRepeats, TwoClientsWithoutASessionGetTwoAnswersAtOnceAndOneAfterTheOther) {
  TestGateway home;
  const auto gate = std::make_shared<Gate>();
  home.model->set_fallback({.text = "ok", .prompt_gate = gate});
  auto first = home.open("/v1/messages", ask());
  auto second = home.open("/v1/messages", ask());
  EXPECT_EQ(home.model->requests().size(), 2U);
  first.leave();  // and comes back
  auto third = home.open("/v1/messages", ask());
  EXPECT_EQ(home.model->requests().size(), 2U);
  gate->open();
  EXPECT_NE(id_of(second.answer().message), id_of(third.answer().message));
}

TEST(GatewayRepeats, ManyAtTheSameMomentAreOneGeneration) {
  constexpr std::ptrdiff_t client_count = 8;
  TestGateway home;
  const auto gate = std::make_shared<Gate>();
  home.model->set_fallback({.text = a_call, .prompt_gate = gate});
  std::latch all_are_there(client_count);
  std::mutex mutex;
  std::set<std::string> ids;
  {
    std::vector<Thread> clients;
    for (std::ptrdiff_t i = 0; i < client_count; ++i) {
      clients.emplace_back("client", [&] {
        auto stream = home.open("/v1/messages", ask(), one_session);
        all_are_there.arrive_and_wait();
        gate->open();
        const auto answer = stream.answer();
        const std::lock_guard hold(mutex);
        ids.insert(id_of(answer.message));
      });
    }
  }
  EXPECT_EQ(ids.size(), 1U);
  EXPECT_EQ(home.model->requests().size(), 1U);
}

TEST(GatewayRepeats, AWholeAnswerThatTakesTooLongIsFetchedLater) {
  GatewayOptions options = patient_options();
  options.whole_answer_wait = std::chrono::milliseconds(1);
  TestGateway home(options);
  const auto gate = std::make_shared<Gate>();
  home.model->script({.text = a_call, .prompt_gate = gate});
  const auto early = home.post("/v1/messages", ask(/*stream=*/false));
  EXPECT_EQ(early.status, 529);
  EXPECT_EQ(early.headers.get("retry-after"), "1");
  EXPECT_FALSE(early.headers.contains("x-should-retry"));
  gate->open();
  ASSERT_TRUE(home.model->wait_for([](const Counts& counts) { return counts.finished == 1; }));
  // The job's thread may still be at its last step: a client would be told to come again.
  net::ClientReply late;
  for (int tries = 0; tries < 1000 && late.status != 200; ++tries) {
    late = home.post("/v1/messages", ask(/*stream=*/false));
  }
  EXPECT_EQ(at(json_of(late), {"stop_reason"}), Json("tool_use"));
  EXPECT_EQ(home.model->requests().size(), 1U);
}

TEST(GatewayRepeats, NobodyReadsSoItIsCancelledAfterTheGrace) {
  GatewayOptions options = patient_options();
  options.jobs.grace = Duration::zero();
  TestGateway home(options);
  const auto gate = std::make_shared<Gate>();
  home.model->script({.text = "never", .token_gate = gate});
  auto stream = home.open("/v1/messages", ask(), one_session);
  ASSERT_TRUE(stream.read_until("message_start"));
  stream.leave();
  EXPECT_TRUE(home.model->wait_for([](const Counts& counts) { return counts.cancelled == 1; }));
  const auto again = home.open("/v1/messages", ask(), one_session);
  EXPECT_EQ(again.status(), 200);
  EXPECT_EQ(home.model->requests().size(), 2U);
  EXPECT_EQ(home.gateway->metrics().answers_abandoned, 1U);
  EXPECT_EQ(home.gateway->metrics().answers_failed, 0U);
}

// Over real sockets: that the client has left is seen, not told.
TEST(GatewayRepeats, AClosedConnectionIsAClientThatLeft) {
  GatewayOptions options = patient_options();
  options.jobs.grace = Duration::zero();
  TestGateway home(options);
  home.serve();
  const auto gate = std::make_shared<Gate>();
  home.model->script({.text = "never", .token_gate = gate});
  home.model->script({.text = "never", .token_gate = gate});
  auto stream = home.open("/v1/messages", ask());
  ASSERT_TRUE(stream.read_until("message_start"));
  stream.leave();
  EXPECT_TRUE(home.model->wait_for([](const Counts& counts) { return counts.cancelled == 1; }));
  // One that waits for a whole answer.
  StopSource leaves;
  Thread client("client", [&] {
    const std::string text = dump_json(ask(/*stream=*/false));
    (void)home.client->send({.method = "POST", .address = home.server->address(),
                             .target = "/v1/messages", .body = {as_byte_span(text)}},
                            soon(), leaves.token());
  });
  EXPECT_TRUE(home.model->wait_for([](const Counts& counts) { return counts.started == 2; }));
  leaves.request_stop();
  EXPECT_TRUE(home.model->wait_for([](const Counts& counts) { return counts.cancelled == 2; }));
}

TEST(GatewayRepeats, BeyondItsQueueItSaysComeBack) {
  GatewayOptions options = patient_options();
  options.jobs.jobs_max = 2;
  TestGateway home(options);
  const auto gate = std::make_shared<Gate>();
  home.model->set_fallback({.text = "ok", .prompt_gate = gate});
  auto first = home.open("/v1/messages", message_body("1", true));
  auto second = home.open("/v1/messages", message_body("2", true));
  for (const bool stream : {false, true}) {
    const auto refused = home.post("/v1/messages", message_body("3", stream));
    EXPECT_EQ(refused.status, 529);
    EXPECT_EQ(refused.headers.get("retry-after"), "5");
    EXPECT_EQ(at(json_of(refused), {"error", "type"}), Json("overloaded_error"));
  }
  EXPECT_EQ(home.send("GET", "/health").status, 200);
  EXPECT_EQ(home.post("/v1/messages/count_tokens", message_body("3")).status, 200);
  gate->open();
  EXPECT_FALSE(first.answer().failed);
  EXPECT_FALSE(second.answer().failed);
  EXPECT_EQ(home.post("/v1/messages", message_body("3")).status, 200);
}

}  // namespace
}  // namespace hearth::gateway
