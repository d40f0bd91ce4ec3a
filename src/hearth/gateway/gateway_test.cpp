// The whole gateway over a scripted model: answers, streams, counts, and what is found again.
#include "hearth/gateway/gateway.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "hearth/base/log.h"
#include "hearth/base/thread.h"
#include "hearth/gateway/test_gateway.h"

namespace hearth::gateway {
namespace {

using test::Gate;

std::int64_t input_tokens(const Json& usage) {
  return at(usage, {"input_tokens"}).as_integer() +
         at(usage, {"cache_read_input_tokens"}).as_integer() +
         at(usage, {"cache_creation_input_tokens"}).as_integer();
}

Json with(Json body, std::string_view members) {
  const Json parsed = *parse_json(members);
  for (const auto& [key, value] : parsed.as_object()) body.set(key, value);
  return body;
}

const char* const two_calls =
    "Let me look.<|tool_calls_section_begin|>"
    "<|tool_call_begin|>functions.now:0<|tool_call_argument_begin|>{\"zone\":  \"UTC\"}<|tool_call_end|>"
    "<|tool_call_begin|>functions.now:1<|tool_call_argument_begin|>{}<|tool_call_end|>"
    "<|tool_calls_section_end|>";
const char* const one_tool =
    R"({"tools": [{"name": "now", "input_schema": {"type": "object", "properties": {"zone": {"type": "string"}}}}]})";

TEST(Gateway, AnswersWhole) {
  TestGateway home;
  home.model->script({.text = "Hello."});
  const auto reply = home.post("/v1/messages?beta=true", message_body("hi"));
  EXPECT_EQ(reply.status, 200);
  EXPECT_TRUE(reply.headers.contains("request-id"));
  const Json body = json_of(reply);
  EXPECT_EQ(at(body, {"content", "0", "text"}), Json("Hello."));
  EXPECT_EQ(at(body, {"stop_reason"}), Json("end_turn"));
  EXPECT_EQ(at(body, {"model"}), Json("test-model"));
  EXPECT_EQ(input_tokens(at(body, {"usage"})),
            static_cast<std::int64_t>(home.model->last_request().prompt.size()));
  EXPECT_EQ(at(body, {"usage", "output_tokens"}), Json(6));
}

TEST(Gateway, StreamsWhatItWouldAnswerWhole) {
  for (const char* output : {"Hello, Grüße 👍", "", two_calls, "<think>secret</think>Yes."}) {
    SCOPED_TRACE(output);
    TestGateway home;
    home.model->set_fallback({.text = output});
    const Json body = with(message_body("hi"), one_tool);
    const Json whole = json_of(home.post("/v1/messages", body));
    auto stream = home.open("/v1/messages", with(body, R"({"stream": true})"));
    EXPECT_EQ(stream.status(), 200);
    EXPECT_EQ(stream.headers().get("content-type"), "text/event-stream");
    const auto answer = stream.answer();
    EXPECT_EQ(answer.complaints, std::vector<std::string>{});
    EXPECT_EQ(at(answer.message, {"stop_reason"}), at(whole, {"stop_reason"}));
    EXPECT_EQ(input_tokens(at(answer.message, {"usage"})), input_tokens(at(whole, {"usage"})));
    const Json streamed = at(answer.message, {"content"});
    const Json content = at(whole, {"content"});
    ASSERT_EQ(streamed.as_array().size(), content.as_array().size());
    for (std::size_t i = 0; i < content.as_array().size(); ++i) {
      for (const char* key : {"type", "text", "name", "input"}) {
        EXPECT_EQ(at(streamed.as_array()[i], {key}), at(content.as_array()[i], {key}));
      }
    }
  }
}

TEST(Gateway, TellsWhatAnAnswerTookToWhoeverAsks) {
  TestGateway home;
  home.model->set_fallback({.text = "Hello."});
  const Json body = parse_json(R"({"model": "m", "prompt": "Say", "max_tokens": 8})").value();
  const Json silent = json_of(home.post("/v1/completions", body));
  EXPECT_EQ(silent.find("timings"), nullptr);
  const Json told = json_of(home.post("/v1/completions", with(body, R"({"timings": true})")));
  EXPECT_GT(at(told, {"timings", "prompt_ms"}).as_double(), 0);
  EXPECT_EQ(at(told, {"timings", "predicted_n"}), at(told, {"usage", "completion_tokens"}));
  EXPECT_EQ(told.find("hand_off"), nullptr);  // nothing was brought in
  auto stream = home.open("/v1/completions", with(body, R"({"timings": true, "stream": true})"));
  EXPECT_NE(stream.bytes().find(R"("timings":{"cache_n":)"), std::string::npos);
}

TEST(Gateway, CountsWhatTheAnswerWillReport) {
  const char* bodies[] = {
      "{}",
      R"({"system": "Be brief."})",
      R"({"system": [{"type": "text", "text": "x-anthropic-billing-header: cch=1;"}, {"type": "text", "text": "s", "cache_control": {"type": "ephemeral"}}]})",
      one_tool,
      R"({"thinking": {"type": "enabled", "budget_tokens": 1024}})",
      R"({"thinking": {"type": "adaptive"}, "output_config": {"effort": "high"}})",
      R"({"tools": [{"name": "now", "input_schema": {"type": "object"}}], "tool_choice": {"type": "any"}})",
      R"({"messages": [{"role": "user", "content": "a"}, {"role": "system", "content": "late"},
          {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "now", "input": {}}]},
          {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "noon"}]}]})",
  };
  TestGateway home;
  for (const char* members : bodies) {
    SCOPED_TRACE(members);
    const Json body = with(message_body("hi"), members);
    const Json counted = json_of(home.post("/v1/messages/count_tokens", body));
    const Json usage = at(json_of(home.post("/v1/messages", body)), {"usage"});
    ASSERT_TRUE(usage.is_object());
    EXPECT_EQ(at(counted, {"input_tokens"}), Json(input_tokens(usage)));
  }
}

TEST(Gateway, CountingDoesNotWaitBehindAnAnswer) {
  TestGateway home;
  const auto gate = std::make_shared<Gate>();
  home.model->script({.text = "late", .prompt_gate = gate});
  auto stream = home.open("/v1/messages", message_body("hi", true));
  EXPECT_EQ(home.post("/v1/messages/count_tokens", message_body("other")).status, 200);
  gate->open();
  EXPECT_EQ(stream.answer().complaints, std::vector<std::string>{});
}

TEST(Gateway, SaysSomethingWhileAPromptIsRead) {
  for (const bool thinks : {false, true}) {
    SCOPED_TRACE(thinks);
    GatewayOptions options = patient_options();
    options.heartbeat = std::chrono::milliseconds(1);
    TestGateway home(options);
    const auto gate = std::make_shared<Gate>();
    home.model->script({.text = thinks ? "hm</think>Yes." : "Yes.", .prompt_gate = gate});
    Json body = message_body("hi", true);
    if (thinks) body = with(body, R"({"thinking": {"type": "adaptive"}})");
    auto stream = home.open("/v1/messages", body);
    ASSERT_TRUE(stream.read_until("message_start"));
    for (int i = 0; i < 5; ++i) {
      ASSERT_TRUE(stream.read_until(thinks ? "content_block_delta" : "ping"));
    }
    gate->open();
    const auto answer = stream.answer();
    EXPECT_EQ(answer.complaints, std::vector<std::string>{});
    const Json content = at(answer.message, {"content"});
    EXPECT_EQ(at(content.as_array().back(), {"text"}), Json("Yes."));
    if (thinks) {
      EXPECT_EQ(at(content, {"0", "thinking"}), Json("hm"));
    }
  }
}

TEST(Gateway, TellsWhichAnswersAreOnTheirWay) {
  TestGateway home;
  EXPECT_EQ(home.gateway->answers(), Json::array());
  const auto gate = std::make_shared<Gate>();
  home.model->script({.text = "Yes.", .prompt_gate = gate});
  auto stream = home.open("/v1/messages", message_body(std::string(3000, 'x'), true));
  const Json answers = home.gateway->answers();
  ASSERT_EQ(answers.as_array().size(), 1U);
  EXPECT_EQ(at(answers, {"0", "stage"}), Json("reading"));
  EXPECT_GT(at(answers, {"0", "prompt_tokens"}).as_integer(), 3000);
  EXPECT_EQ(at(answers, {"0", "read_tokens"}), Json(0));
  EXPECT_TRUE(at(answers, {"0", "seconds"}).is_number());
  gate->open();
  EXPECT_EQ(stream.answer().complaints, std::vector<std::string>{});
  EXPECT_EQ(home.gateway->answers(), Json::array());
}

TEST(Gateway, TellsHowFarAPromptHasBeenRead) {
  GatewayOptions options = patient_options();
  options.heartbeat = std::chrono::milliseconds(1);
  TestGateway home(options);
  const auto gate = std::make_shared<Gate>();
  gate->allow(1);  // one slice of 512
  home.model->script({.text = "Yes.", .prompt_gate = gate});
  auto stream = home.open("/v1/messages", message_body(std::string(3000, 'x'), true));
  const auto metric = [&](const std::string& line) {
    return home.send("GET", "/metrics").body_text().find("\n" + line + "\n") != std::string::npos;
  };
  constexpr int heartbeats_max = 1000;
  for (int i = 0; i < heartbeats_max && !metric("hearth_reading_tokens_done 512"); ++i) {
    ASSERT_TRUE(stream.read_until("ping"));
  }
  EXPECT_TRUE(metric("hearth_reading_tokens_done 512"));
  EXPECT_FALSE(metric("hearth_reading_tokens 0"));
  ASSERT_TRUE(stream.read_until("ping"));
  ASSERT_TRUE(stream.read_until("ping"));
  gate->open();
  EXPECT_NE(stream.bytes().find("\n: 512 of 3"), std::string::npos) << stream.bytes();
  EXPECT_EQ(stream.answer().complaints, std::vector<std::string>{});
  EXPECT_TRUE(metric("hearth_reading_tokens 0"));
}

TEST(Gateway, ThinkingThatIsNotShownIsNoReasonToTalk) {
  TestGateway home;
  home.model->script({.text = "<think>" + std::string(500, 'x') + "</think>Yes."});
  auto stream = home.open("/v1/messages", message_body("hi", true));
  EXPECT_EQ(stream.bytes().find("event: ping"), std::string::npos);
  EXPECT_EQ(at(stream.answer().message, {"content", "0", "text"}), Json("Yes."));
}

TEST(Gateway, PrewarmsWithoutAnAnswer) {
  TestGateway home;
  const Json reply = json_of(home.post("/v1/messages", with(message_body("hi"), R"({"max_tokens": 0})")));
  EXPECT_EQ(at(reply, {"content"}), Json::array());
  EXPECT_EQ(at(reply, {"stop_reason"}), Json("max_tokens"));
  EXPECT_EQ(at(reply, {"usage", "output_tokens"}), Json(0));
  // And what it read is there.
  const Json usage = at(json_of(home.post("/v1/messages", message_body("hi"))), {"usage"});
  EXPECT_EQ(at(usage, {"cache_read_input_tokens"}), Json(input_tokens(usage) - 1));
}

// --- conversations

// A client that sends everything back, as real ones do.
class Conversation {
 public:
  explicit Conversation(TestGateway& home) : home_(home) {
    body_ = with(message_body("", true), one_tool);
    body_.set("messages", Json::array());
    body_.set("system", std::string(4000, 's'));
    body_ = with(body_, R"({"thinking": {"type": "adaptive", "display": "omitted"}})");
  }
  // The answer's message.
  Json say(Json content) {
    body_.find("messages")->push(Json::object({{"role", "user"}, {"content", std::move(content)}}));
    auto stream = home_.open("/v1/messages", body_, one_session);
    const auto answer = stream.answer();
    EXPECT_EQ(answer.complaints, std::vector<std::string>{}) << stream.bytes();
    body_.find("messages")->push(
        Json::object({{"role", "assistant"}, {"content", at(answer.message, {"content"})}}));
    first_usage_ = at(*parse_json(first_data(stream.bytes())), {"message", "usage"});
    return answer.message;
  }
  const Json& first_usage() const { return first_usage_; }
  void declare(std::string_view tools) { body_ = with(body_, tools); }

 private:
  static std::string first_data(const std::string& bytes) {
    const auto begin = bytes.find("data: ") + 6;
    return bytes.substr(begin, bytes.find('\n', begin) - begin);
  }
  TestGateway& home_;
  Json body_;
  Json first_usage_;
};

Json results_in_wrong_order(const Json& message) {
  Json out = Json::array();
  const Json content = at(message, {"content"});
  for (const Json& block : content.as_array()) {
    if (at(block, {"type"}) != Json("tool_use")) continue;
    auto& items = out.as_array();
    items.insert(items.begin(), Json::object({{"type", "tool_result"},
                                              {"tool_use_id", at(block, {"id"})},
                                              {"content", "noon"}}));
  }
  return out;
}

TEST(Gateway, EveryTurnContinuesWhatTheModelHolds) {
  TestGateway home;
  Conversation talk(home);
  home.model->script({.text = "let me see</think>" + std::string(two_calls)});
  home.model->script({.text = "aha</think>It is noon."});
  home.model->script({.text = "</think>Still noon."});
  Json message = talk.say("What time is it?");
  for (const int turn : {1, 2}) {
    SCOPED_TRACE(turn);
    const auto before = home.model->last_request().prompt.size();
    message = talk.say(turn == 1 ? results_in_wrong_order(message) : Json("And now?"));
    const Json usage = at(message, {"usage"});
    const auto read = at(usage, {"cache_read_input_tokens"}).as_integer();
    EXPECT_GT(read, static_cast<std::int64_t>(before));  // the prompt before, and its answer
    EXPECT_LT(input_tokens(usage) - read, 200);
    // The stream's first event says so already.
    EXPECT_EQ(at(talk.first_usage(), {"cache_read_input_tokens"}), Json(read));
  }
  EXPECT_EQ(home.gateway->metrics().turns_remembered, 3U);
  EXPECT_EQ(home.gateway->metrics().turns_rendered, 0U);
  EXPECT_EQ(home.gateway->metrics().calls, 2U);
}

TEST(Gateway, ASideRequestDoesNotCostTheConversation) {
  TestGateway home;
  Conversation talk(home);
  home.model->set_fallback({.text = "</think>Fine."});
  talk.say("A long story: " + std::string(3000, 'x'));
  for (int i = 0; i < 6; ++i) {
    home.post("/v1/messages", message_body("Title for: " + std::to_string(i)), one_session);
  }
  const Json usage = at(talk.say("Go on."), {"usage"});
  EXPECT_GE(static_cast<double>(at(usage, {"cache_read_input_tokens"}).as_integer()),
            0.99 * static_cast<double>(input_tokens(usage)));
}

TEST(Gateway, SaysWhenAPromptLeavesWhatItsConversationHad) {
  TestGateway home;
  Conversation talk(home);
  home.model->set_fallback({.text = "</think>Fine."});
  const Metrics& metrics = home.gateway->metrics();
  talk.say("Hello.");
  talk.say("Go on.");
  EXPECT_EQ(metrics.prefixes_departed, 0U);
  talk.declare(R"({"tools": [{"name": "late", "input_schema": {"type": "object"}},
                             {"name": "now", "input_schema": {"type": "object"}}]})");
  start_log("test", LogLevel::info);
  testing::internal::CaptureStderr();
  talk.say("And now?");
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_NE(log.find(" prefix=departed shared_tokens="), std::string::npos) << log;
  EXPECT_NE(log.find(" changed=tools\n"), std::string::npos) << log;
  EXPECT_EQ(metrics.prefixes_departed, 1U);
  EXPECT_GT(metrics.prefix_tokens_lost, 0U);
  talk.say("Go on.");  // from the new beginning
  EXPECT_EQ(metrics.prefixes_departed, 1U);
}

TEST(Gateway, ServesItsModelUnderAnyName) {
  TestGateway home;
  const Json list = json_of(home.send("GET", "/v1/models?limit=1000"));
  EXPECT_EQ(at(list, {"data", "0", "id"}), Json("test-model"));
  EXPECT_EQ(at(json_of(home.send("GET", "/v1/models/test-model")), {"id"}), Json("test-model"));
  EXPECT_EQ(home.send("GET", "/v1/models/another/one").status, 404);
  EXPECT_EQ(home.send("GET", "/health").status, 200);
}

TEST(Gateway, MetricsCountWhatHappened) {
  TestGateway home;
  home.post("/v1/messages", message_body("hi"));
  home.post("/v1/messages", Json::object());
  const std::string text(home.send("GET", "/metrics").body_text());
  EXPECT_NE(text.find(R"(status="200"} 1)"), std::string::npos) << text;
  EXPECT_NE(text.find(R"(status="400"} 1)"), std::string::npos);
  EXPECT_NE(text.find("hearth_answers_finished_total 1\n"), std::string::npos);
  EXPECT_NE(text.find("hearth_answer_tokens_total 2\n"), std::string::npos);
}

TEST(Gateway, IsAskedForMetricsWhileItLearnsItsConnections) {
  TestGateway home;
  Thread asker("asker", [&] {
    for (int i = 0; i < 20; ++i) EXPECT_EQ(home.send("GET", "/metrics").status, 200);
  });
  home.gateway->set_connection_count([] { return std::size_t{7}; });
  asker.join();
  EXPECT_NE(home.send("GET", "/metrics").body_text().find("hearth_connections 7\n"), std::string::npos);
}

TEST(GatewayContinuation, GoesOnWithTheLastMessageAsIfItHadWrittenIt) {
  TestGateway home;
  home.model->set_fallback({.text = " time."});
  const auto ask = [&](std::string_view more) {
    return home.post("/v1/chat/completions", with(*parse_json(R"({"model": "any", "messages": [
        {"role": "user", "content": "Begin."}, {"role": "assistant", "content": "Once upon a"}]})"), more));
  };
  EXPECT_EQ(at(json_of(ask(R"({"continue_final_message": true})")), {"choices", "0", "message", "content"}), Json(" time."));
  const std::string prompt = home.model->text_of(home.model->last_request().prompt);
  EXPECT_TRUE(prompt.ends_with("Once upon a")) << prompt;
  EXPECT_EQ(prompt.find("Once upon a<|im_end|>"), std::string::npos);
  EXPECT_EQ(home.post("/v1/chat/completions", *parse_json(R"({"model": "any", "continue_final_message": true,
      "messages": [{"role": "user", "content": "Begin."}]})")).status, 400);
}

TEST(GatewayPins, TheOwnerOfAPromptReachesTheModel) {
  TestGateway home;
  home.model->set_fallback({.text = "ok"});
  EXPECT_EQ(home.send("POST", "/v1/messages", dump_json(message_body("hi")), {{"x-hearth-pin", "memory-1.a_b"}}).status, 200);
  EXPECT_EQ(home.model->last_request().pin_owner, "memory-1.a_b");
  EXPECT_EQ(home.post("/v1/messages", message_body("hi")).status, 200);
  EXPECT_EQ(home.model->last_request().pin_owner, "");
  for (const std::string& bad : {std::string("a b"), std::string("../x"), std::string(65, 'a')}) {
    EXPECT_EQ(home.send("POST", "/v1/messages", dump_json(message_body("hi")), {{"x-hearth-pin", bad}}).status, 400) << bad;
  }
  EXPECT_EQ(home.send("DELETE", "/v1/hearth/pins/memory-1", "", {}).status, 204);
  EXPECT_EQ(home.send("DELETE", "/v1/hearth/pins/a%20b", "", {}).status, 400);
}

}  // namespace
}  // namespace hearth::gateway
