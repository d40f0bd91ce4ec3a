#include "hearth/gateway/served_names.h"

#include <gtest/gtest.h>

#include "hearth/gateway/test_gateway.h"

namespace hearth::gateway {
namespace {

const std::vector<std::string> adapters = {"voice", "old-voice"};

TEST(ServedNames, WhatStandsBehindThePlusIsTheAdapter) {
  EXPECT_EQ(adapter_of("kimi", "kimi", adapters).value(), "");
  EXPECT_EQ(adapter_of("any", "kimi", adapters).value(), "");
  EXPECT_EQ(adapter_of("kimi+voice", "kimi", adapters).value(), "voice");
  EXPECT_EQ(adapter_of("any+old-voice", "kimi", adapters).value(), "old-voice");
  EXPECT_EQ(adapter_of("a+b", "a+b", adapters).value(), "") << "the model's own name has a plus";
  EXPECT_EQ(adapter_of("a+b+voice", "a+b", adapters).value(), "voice");
  EXPECT_EQ(served_names("kimi", adapters), (std::vector<std::string>{"kimi", "kimi+voice", "kimi+old-voice"}));
}

TEST(ServedNames, AnAdapterThatThereIsNotIsRefusedByName) {
  for (const std::string_view asked : {"kimi+vioce", "kimi+", "kimi+voice "}) {
    const auto refused = adapter_of(asked, "kimi", adapters);
    ASSERT_FALSE(refused) << asked;
    EXPECT_EQ(refused.error().kind, ApiError::Kind::not_found);
    EXPECT_NE(refused.error().message.find("voice, old-voice"), std::string::npos) << refused.error().message;
  }
  EXPECT_NE(adapter_of("kimi+x", "kimi", {}).error().message.find("there is none"), std::string::npos);
}

TestGateway with_adapters() {
  test::ScriptedModelOptions options;
  options.facts.adapters = adapters;
  return TestGateway(patient_options(), "kimi-k2.5", std::move(options));
}

Json body_of(std::string_view path, std::string_view model) {
  Json body = message_body("hi");
  body.set("model", model);
  if (path == "/v1/completions") body.set("prompt", "hi");
  if (path == "/v1/responses") body.set("input", "hi");
  return body;
}

TEST(GatewayAdapters, EveryDialectChoosesOneByTheModelsName) {
  TestGateway home = with_adapters();
  for (const std::string path : {"/v1/messages", "/v1/chat/completions", "/v1/completions", "/v1/responses"}) {
    SCOPED_TRACE(path);
    const auto chosen = home.post(path, body_of(path, "any+voice"));
    EXPECT_EQ(chosen.status, 200) << chosen.body_text();
    EXPECT_EQ(home.model->last_request().adapter, "voice");
    EXPECT_EQ(at(json_of(chosen), {"model"}), Json("test-model+voice"));
    const auto bare = home.post(path, body_of(path, "any"));
    EXPECT_EQ(home.model->last_request().adapter, "");
    EXPECT_EQ(at(json_of(bare), {"model"}), Json("test-model"));
    const std::size_t asked = home.model->requests().size();
    const auto refused = home.post(path, body_of(path, "any+nobody"));
    EXPECT_EQ(refused.status, 404);
    EXPECT_NE(refused.body_text().find("no adapter 'nobody'"), std::string_view::npos) << refused.body_text();
    EXPECT_EQ(home.model->requests().size(), asked);
  }
}

TEST(GatewayAdapters, AreListedAmongTheModels) {
  TestGateway home = with_adapters();
  const Json list = json_of(home.send("GET", "/v1/models"));
  EXPECT_EQ(at(list, {"data", "0", "id"}), Json("test-model"));
  EXPECT_EQ(at(list, {"data", "1", "id"}), Json("test-model+voice"));
  EXPECT_EQ(at(list, {"data", "2", "id"}), Json("test-model+old-voice"));
  EXPECT_EQ(at(json_of(home.send("GET", "/v1/models/test-model+voice")), {"id"}), Json("test-model+voice"));
  EXPECT_EQ(home.send("GET", "/v1/models/test-model+nobody").status, 404);
}

// The same conversation with another adapter is another request: nobody joins it.
TEST(GatewayAdapters, ARepetitionIsOfTheSameAdapter) {
  TestGateway home = with_adapters();
  const auto gate = std::make_shared<test::Gate>();
  home.model->set_fallback({.text = "ok", .token_gate = gate});
  Json first = body_of("/v1/messages", "any");
  Json second = body_of("/v1/messages", "any+voice");
  first.set("stream", true);
  second.set("stream", true);
  auto one = home.open("/v1/messages", first, one_session);
  auto other = home.open("/v1/messages", second, one_session);
  gate->open();
  one.answer();
  other.answer();
  EXPECT_EQ(home.model->counts().started, 2u);
}

}  // namespace
}  // namespace hearth::gateway
