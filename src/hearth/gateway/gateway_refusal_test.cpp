// What the gateway refuses, how it says so, and what it never writes down.
#include <gtest/gtest.h>

#include "hearth/base/log.h"
#include "hearth/gateway/test_gateway.h"

namespace hearth::gateway {
namespace {

using test::Gate;
using test::ScriptedAnswer;

GatewayOptions with_access(AccessRules access) {
  GatewayOptions out = patient_options();
  out.access = std::move(access);
  return out;
}

// --- a model that fails

TEST(GatewayFailures, AModelThatDiesInMidStreamEndsItWithAnErrorEvent) {
  TestGateway home;
  home.model->script({.text = "half an ans", .death = Error{Code::unavailable, "the worker ended"}});
  auto stream = home.open("/v1/messages", message_body("hi", true));
  EXPECT_EQ(stream.status(), 200);
  const auto answer = stream.answer();
  EXPECT_EQ(answer.complaints, std::vector<std::string>{});
  EXPECT_TRUE(answer.failed);
  EXPECT_NE(stream.bytes().find("overloaded_error"), std::string::npos);
  EXPECT_EQ(home.post("/v1/messages", message_body("hi")).status, 200);
  EXPECT_EQ(home.gateway->metrics().answers_failed, 1U);
}

TEST(GatewayFailures, AModelThatDiesBeforeItSaysAnythingIsAskedOnceMore) {
  for (const bool stream : {false, true}) {
    TestGateway home;
    home.model->script({.text = "", .death = Error{Code::unavailable, "the worker ended"}});
    home.model->script({.text = "here it is"});
    const Json message = stream ? home.open("/v1/messages", message_body("hi", true)).answer().message
                                : json_of(home.post("/v1/messages", message_body("hi")));
    EXPECT_EQ(at(message, {"content", "0", "text"}), Json("here it is"));
    const auto requests = home.model->requests();
    ASSERT_EQ(requests.size(), 2U);
    EXPECT_EQ(requests[0].prompt, requests[1].prompt);
    EXPECT_EQ(home.gateway->metrics().answers_begun_again, 1U);
    EXPECT_EQ(home.gateway->metrics().answers_finished, 1U);
    EXPECT_EQ(home.gateway->metrics().answers_failed, 0U);
  }
}

TEST(GatewayFailures, APromptThatEndsTwoWorkersIsNotGivenToAThird) {
  TestGateway home;
  for (int i = 0; i < 2; ++i) home.model->script({.text = "", .death = Error{Code::unavailable, "the worker ended"}});
  EXPECT_TRUE(home.open("/v1/messages", message_body("hi", true)).answer().failed);
  EXPECT_EQ(home.model->requests().size(), 2U);
  EXPECT_EQ(home.gateway->metrics().answers_failed, 1U);
  EXPECT_EQ(home.post("/v1/messages", message_body("hi")).status, 200);
}

TEST(GatewayFailures, BeforeTheFirstEventTheyAreStatuses) {
  struct Case {
    Code code;
    int status;
    bool may_retry;
  };
  for (const Case& one : {Case{Code::unavailable, 529, true}, {Code::resource_exhausted, 529, true},
                          {Code::invalid_argument, 400, false}, {Code::internal, 500, true},
                          {Code::corrupt, 500, true}, {Code::timed_out, 504, true}}) {
    for (const bool stream : {false, true}) {
      SCOPED_TRACE(code_name(one.code));
      TestGateway home;
      home.model->script({.text = "", .refusal = Error{one.code, "because"}});
      const auto reply = home.post("/v1/messages", message_body("hi", stream));
      EXPECT_EQ(reply.status, one.status);
      EXPECT_EQ(reply.headers.get("x-should-retry"), one.may_retry ? "" : "false");
      EXPECT_EQ(reply.headers.contains("retry-after"), one.status == 529);
      const Json body = json_of(reply);
      EXPECT_EQ(at(body, {"type"}), Json("error"));
      EXPECT_EQ(at(body, {"request_id"}), Json(reply.headers.get("request-id")));
      EXPECT_EQ(home.post("/v1/messages", message_body("hi", stream)).status, 200);
    }
  }
}

TEST(GatewayFailures, AModelThatIsNotReadySaysWhenToComeBack) {
  TestGateway home;
  home.model->set_ready(false);
  for (const char* path : {"/v1/messages", "/v1/messages/count_tokens"}) {
    const auto reply = home.post(path, message_body("new"));
    EXPECT_EQ(reply.status, 529) << path;
    EXPECT_EQ(reply.headers.get("retry-after"), "2") << path;
  }
  const auto health = home.send("GET", "/health");
  EXPECT_EQ(health.status, 503);
  EXPECT_EQ(at(json_of(health), {"status"}), Json("loading"));
  EXPECT_EQ(home.send("GET", "/v1/models").status, 200);
  home.model->set_ready(true);
  EXPECT_EQ(home.post("/v1/messages", message_body("new")).status, 200);
}

TEST(GatewayFailures, AModelThatStandsStillIsNotHealthyThoughItIsThere) {
  TestGateway home;
  home.model->set_stall(engine::ModelStall{.part = "engine", .what = "its engine has been in one step for 140.5 s",
                                           .lasted = std::chrono::milliseconds(140'500)});
  const auto health = home.send("GET", "/health");
  EXPECT_EQ(health.status, 503);
  EXPECT_EQ(json_of(health), Json::object({{"status", "stalled"}, {"part", "engine"}, {"seconds", 140.5},
                                           {"message", "its engine has been in one step for 140.5 s"}}));
  const std::string metrics(home.send("GET", "/metrics").body_text());
  EXPECT_NE(metrics.find("hearth_model_stalled_seconds 140\n"), std::string::npos) << metrics;
  home.model->set_stall({});
  EXPECT_EQ(home.send("GET", "/health").status, 200);
}

TEST(GatewayFailures, AModelThatGoesAwayWhileItAnswers) {
  TestGateway home;
  const auto gate = std::make_shared<Gate>();
  home.model->script({.text = "abc", .token_gate = gate});
  auto stream = home.open("/v1/messages", message_body("hi", true));
  ASSERT_TRUE(stream.read_until("message_start"));
  home.model->set_ready(false);
  gate->open();
  EXPECT_TRUE(stream.answer().failed);
}

// --- bodies

std::string nested(std::size_t depth) {
  return R"({"model":"m","max_tokens":1,"messages":[],"x":)" + std::string(depth, '[') +
         std::string(depth, ']') + "}";
}

TEST(GatewayRefusals, BodiesThatAreNoRequest) {
  struct Case {
    std::string name, body;
    int status = 400;
  };
  const Case cases[] = {
      {"nothing", ""},
      {"not JSON", "hello"},
      {"half", R"({"model": "m")"},
      {"a list", "[]"},
      {"a string", R"("hi")"},
      {"null", "null"},
      {"two values", "{} {}"},
      {"nothing in it", "{}"},
      {"a lone high surrogate", R"({"model":"m","max_tokens":1,"messages":[{"role":"user","content":"\ud800"}]})"},
      {"a lone low surrogate", R"({"model":"m","max_tokens":1,"messages":[{"role":"user","content":"\udc00x"}]})"},
      {"not UTF-8", "{\"model\":\"m\",\"max_tokens\":1,\"messages\":[{\"role\":\"user\",\"content\":\"\xff\"}]}"},
      {"nested too deep", nested(json_depth_max + 1)},
      {"nested far too deep", std::string(200'000, '[')},
      {"a number too large", R"({"model":"m","max_tokens":1e400,"messages":[]})"},
      {"no message", R"({"model":"m","max_tokens":1,"messages":[]})"},
      {"an image", R"({"model":"m","max_tokens":1,"messages":[{"role":"user","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":""}}]}]})"},
  };
  for (const char* path : {"/v1/messages", "/v1/messages/count_tokens"}) {
    for (const Case& one : cases) {
      SCOPED_TRACE(std::string(path) + ": " + one.name);
      TestGateway home;
      const auto reply = home.send("POST", path, one.body);
      EXPECT_EQ(reply.status, one.status) << reply.body_text();
      EXPECT_EQ(reply.headers.get("x-should-retry"), "false");
      EXPECT_EQ(at(json_of(reply), {"error", "type"}), Json("invalid_request_error"));
      EXPECT_TRUE(home.model->requests().empty());
    }
  }
}

TEST(GatewayRefusals, OddTextIsText) {
  for (const char* text : {R"(\u0000)", R"(\ud83d\ude00)", R"(\uffff)", R"(\u2028<|im_end|>)"}) {
    TestGateway home;
    const std::string body = std::string(R"({"model":"m","max_tokens":9,"messages":[{"role":"user","content":")") +
                             text + R"("}]})";
    EXPECT_EQ(home.send("POST", "/v1/messages", body).status, 200) << text;
  }
}

TEST(GatewayRefusals, APromptBeyondTheWindowSaysBothNumbers) {
  test::ScriptedModelOptions small;
  small.facts.limits.context_tokens = 2048;
  TestGateway home(patient_options(), "kimi-k2.5", small);
  const auto counted = at(json_of(home.post("/v1/messages/count_tokens",
                                            message_body(std::string(3000, 'x')))),
                          {"input_tokens"}).as_integer();
  for (const bool stream : {false, true}) {
    const auto reply = home.post("/v1/messages", message_body(std::string(3000, 'x'), stream));
    EXPECT_EQ(reply.status, 400);
    const std::string message = at(json_of(reply), {"error", "message"}).as_string();
    EXPECT_TRUE(message.starts_with("prompt is too long: " + std::to_string(counted) +
                                    " tokens > 1792 maximum")) << message;
  }
}

// --- access

struct Route {
  const char* method;
  const char* path;
  bool needs_key = true;
};
constexpr Route routes[] = {
    {"POST", "/v1/messages"}, {"POST", "/v1/messages?beta=true"},
    {"POST", "/v1/messages/count_tokens"}, {"POST", "/v1/chat/completions"},
    {"POST", "/v1/completions"}, {"POST", "/v1/responses"}, {"GET", "/v1/models"},
    {"GET", "/v1/models/test-model"}, {"GET", "/metrics"}, {"GET", "/nothing/here"},
    {"POST", "/nothing/here"}, {"GET", "/v1/messages"}, {"HEAD", "/api/hello"},
    {"GET", "/health", false},
};

TEST(GatewayAccess, EveryPathButHealthNeedsTheKeyAndAHostOfOurs) {
  TestGateway home(with_access({.api_keys = {"right"}}));
  home.serve();
  for (const Route& route : routes) {
    SCOPED_TRACE(std::string(route.method) + " " + route.path);
    const auto status = [&](net::Headers headers) {
      return home.send(route.method, route.path, route.method[0] == 'P' ? "{}" : "", std::move(headers)).status;
    };
    EXPECT_EQ(status({}), route.needs_key ? 401 : 200);
    EXPECT_EQ(status({{"x-api-key", "wrong"}}), route.needs_key ? 401 : 200);
    const int with_key = status({{"Authorization", "Bearer right"}});
    EXPECT_NE(with_key, 401);
    EXPECT_NE(with_key, 403);
    EXPECT_EQ(status({{"x-api-key", "right"}, {"Host", "evil.example"}}), 403);
    EXPECT_EQ(status({{"x-api-key", "right"}, {"Origin", "https://evil.example"}}), 403);
  }
  EXPECT_TRUE(home.model->requests().empty());
}

// Who has no key takes none of the room that the bodies of others need.
TEST(GatewayAccess, WhatNeedsNoBodyTakesNoLargeOne) {
  TestGateway home(with_access({.api_keys = {"right"}}));
  home.serve();
  const std::string large(128 << 10, 'x');
  for (const char* method : {"GET", "OPTIONS"}) {
    EXPECT_EQ(home.send(method, "/health", large).status, 413) << method;
    EXPECT_LT(home.send(method, "/health", "{}").status, 300) << method;
  }
}

TEST(GatewayAccess, WebPagesOfAllowedOriginsGetTheirHeaders) {
  TestGateway home(with_access({.api_keys = {"right"}, .allowed_origins = {"https://app.example"}}));
  for (const char* origin : {"https://app.example", "http://localhost:5173"}) {
    const auto preflight = home.send("OPTIONS", "/v1/messages", {},
                                     {{"Origin", origin},
                                      {"Access-Control-Request-Method", "POST"},
                                      {"Access-Control-Request-Headers", "x-api-key, content-type"}});
    EXPECT_EQ(preflight.status, 204);  // browsers send no key with it
    EXPECT_EQ(preflight.headers.get("access-control-allow-origin"), origin);
    EXPECT_EQ(preflight.headers.get("access-control-allow-headers"), "x-api-key, content-type");
    EXPECT_NE(preflight.headers.get("access-control-allow-methods").find("POST"), std::string_view::npos);
    EXPECT_EQ(preflight.headers.get("vary"), "Origin");
    // A page can read errors too.
    const auto refused = home.post("/v1/messages", message_body("hi"), {{"Origin", origin}});
    EXPECT_EQ(refused.status, 401);
    EXPECT_EQ(refused.headers.get("access-control-allow-origin"), origin);
    auto stream = home.open("/v1/messages", message_body("hi", true),
                            {{"Origin", origin}, {"x-api-key", "right"}});
    EXPECT_EQ(stream.headers().get("access-control-allow-origin"), origin);
  }
  const auto evil = home.send("OPTIONS", "/v1/messages", {}, {{"Origin", "https://evil.example"}});
  EXPECT_EQ(evil.status, 403);
  EXPECT_FALSE(evil.headers.contains("access-control-allow-origin"));
  EXPECT_FALSE(home.post("/v1/messages", message_body("hi"), {{"x-api-key", "right"}})
                   .headers.contains("access-control-allow-origin"));
}

// --- what the server itself refuses

TEST(GatewayServer, ErrorsAreInTheWordsOfTheDialect) {
  GatewayOptions options = patient_options();
  options.body_bytes_max = 1000;
  TestGateway home(options);
  home.serve();
  const auto error = [&](const char* method, const char* path, std::string_view body, int status) {
    const auto reply = home.send(method, path, body);
    EXPECT_EQ(reply.status, status) << path;
    EXPECT_TRUE(reply.headers.contains("request-id")) << path;
    return json_of(reply);
  };
  EXPECT_EQ(at(error("POST", "/v1/messages/nothing", "{}", 404), {"error", "type"}),
            Json("not_found_error"));
  EXPECT_EQ(at(error("POST", "/v1/messages", std::string(1001, ' '), 413), {"type"}), Json("error"));
  EXPECT_EQ(at(error("GET", "/v1/messages", "", 405), {"type"}), Json("error"));
  EXPECT_TRUE(at(error("GET", "/nothing", "", 404), {"error", "message"}).is_string());
  EXPECT_EQ(home.send("GET", "/v1/messages").headers.get("allow"), "OPTIONS, POST");
}

TEST(GatewayServer, ClaudeCodesFirstSteps) {
  TestGateway home;
  home.serve();
  EXPECT_EQ(home.send("HEAD", "/api/hello").status, 404);
  EXPECT_EQ(home.post("/v1/messages?beta=true", message_body("hi")).status, 200);
  auto stream = home.open("/v1/messages?beta=true", message_body("hi", true));
  EXPECT_EQ(stream.answer().complaints, std::vector<std::string>{});
  EXPECT_EQ(home.post("/v1/messages/count_tokens?beta=true", message_body("hi")).status, 200);
  const std::string metrics(home.send("GET", "/metrics").body_text());
  EXPECT_NE(metrics.find("hearth_connections "), std::string::npos);
}

// --- the log

// Everything that a client or the model says, in all places that are read.
const char* const canary_bodies[] = {
    R"({"model":"CANARY","max_tokens":9,"system":"CANARY","stop_sequences":["CANARY"],
        "metadata":{"user_id":"CANARY"},"CANARY":1,
        "tools":[{"name":"CANARY","description":"CANARY","input_schema":{"type":"object","properties":{"CANARY":{"type":"string"}}}},
                 {"type":"CANARY_20250101","name":"c"}],
        "messages":[{"role":"user","content":"CANARY"},{"role":"system","content":"CANARY"},
                    {"role":"assistant","content":[{"type":"thinking","thinking":"CANARY","signature":"CANARY"},{"type":"tool_use","id":"CANARY","name":"CANARY","input":{"CANARY":"CANARY"}}]},
                    {"role":"user","content":[{"type":"tool_result","tool_use_id":"CANARY","content":"CANARY"}]}]})",
    R"({"model":"m","max_tokens":9,"messages":[{"role":"CANARY","content":"x"}]})",
    R"({"model":"m","max_tokens":9,"thinking":{"type":"CANARY"},"messages":[{"role":"user","content":"x"}]})",
    R"({"model":"m","max_tokens":9,"messages":[{"role":"user","content":[{"type":"CANARY"}]}]})",
    R"({"model":"m","max_tokens":9,"tool_choice":{"type":"tool","name":"CANARY"},"messages":[{"role":"user","content":"x"}]})",
    R"({"model":"m","max_tokens":9,"tools":[{"name":"t","input_schema":{"type":"object","properties":{"CANARY":{"not":{"type":"string"}}}}}],"messages":[{"role":"user","content":"x"}]})",
    R"({"model":"m","max_tokens":9,"tools":[{"name":"t","input_schema":{"type":"object","properties":{"CANARY: CANARY":{"type":"CANARY"}}}}],"messages":[{"role":"user","content":"x"}]})",
    R"({"model":"m","max_tokens":9,"output_config":{"format":{"type":"json_schema","schema":{"type":"object","properties":{"CANARY":{"$ref":"#/CANARY"}}}}},"messages":[{"role":"user","content":"x"}]})",
    R"({"model":"m","max_tokens":9,"messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"CANARY","content":"x"}]}]})",
    R"({"CANARY": "CANARY)",
};

TEST(GatewayLog, HoldsNothingOfWhatWasSaid) {
  TestGateway home;
  home.serve();
  home.model->set_fallback({.text = "CANARY<|tool_calls_section_begin|><|tool_call_begin|>functions.CANARY:0"
                                    "<|tool_call_argument_begin|>CANARY<|tool_call_end|><|tool_calls_section_end|>"});
  testing::internal::CaptureStderr();
  start_log("test", LogLevel::debug);
  for (const char* body : canary_bodies) {
    for (const char* path : {"/v1/messages", "/v1/messages/count_tokens"}) {
      home.send("POST", path, body, {{"x-claude-code-session-id", "CANARY"}, {"x-api-key", "CANARY"},
                                     {"User-Agent", "CANARY"}});
    }
  }
  auto stream = home.open("/v1/messages", message_body("CANARY", true));
  stream.bytes();
  home.model->script({.text = "CANARY", .death = Error{Code::internal, "worker"}});
  home.open("/v1/messages", message_body("CANARY", true)).bytes();
  home.server->stop();
  start_log("test", LogLevel::info);
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_NE(log.find("outcome=calls"), std::string::npos) << log;
  EXPECT_NE(log.find("refused=invalid_request status=400"), std::string::npos) << log;
  EXPECT_EQ(log.find("CANARY"), std::string::npos) << log;
}

}  // namespace
}  // namespace hearth::gateway
