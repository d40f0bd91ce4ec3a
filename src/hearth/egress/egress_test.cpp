#include "hearth/egress/egress.h"

#include <gtest/gtest.h>

#include "hearth/base/file.h"
#include "hearth/net/http_server.h"
#include "hearth/upstream/remote.h"
#include "tests/support/scripted_service.h"

namespace hearth::egress {
namespace {

namespace header = upstream::egress_header;

Deadline soon() { return Deadline::after(std::chrono::seconds(20)); }  // never reached

class ListAudit final : public seal::AuditSink {
 public:
  Result<> append(const seal::AuditRecord& record) override {
    if (broken) return fail(Code::resource_exhausted, "disk full");
    records.push_back(record);
    return {};
  }
  std::vector<seal::AuditRecord> records;
  bool broken = false;
};

struct OpenGate final : seal::RemoteGate {
  Result<> check(const seal::Clearance&) const override { return {}; }
};

Json event(std::string_view type, Json members = Json::object()) {
  Json out = Json::object({{"type", type}});
  for (auto& [key, value] : members.as_object()) out.set(key, value);
  return out;
}

// A whole answer of the Anthropic API.
Json hello() {
  const Json block = Json::object({{"type", "text"}, {"text", "hello"}});
  return Json::object({{"pieces", Json::array({event("message_start", Json::object({{"message", Json::object({{"model", "m-1"}})}})),
                                               event("content_block_start", Json::object({{"content_block", block}})),
                                               event("content_block_stop"), event("message_delta"), event("message_stop")})}});
}

// The egress process on its socket before a scripted cloud, and a client of it.
struct House {
  explicit House(Json replies, Inspect inspect = {}) : cloud(std::move(replies)) {
    spec = {.name = "cloud", .kind = upstream::Kind::anthropic, .url = cloud.url(), .model = "m-1", .reach = seal::Reach::remote};
    egress = *make_egress({.upstreams = {{spec, "secret-key"}}, .audit = audit, .audit_key = "audit", .http = *http, .inspect = std::move(inspect)});
    auto listener = net::Listener::listen(net::Address::unix_socket(directory.path() / "egress"));
    server = *net::HttpServer::start(*std::move(listener), egress->routes());
    remote = *upstream::make_remote_endpoint(spec, server->address(), *http);
  }

  seal::ClearedForRemote<chat::ChatRequest> cleared(std::string_view text) const {
    chat::ChatRequest request{.model = "m-1"};
    request.conversation.messages = {{.role = chat::Role::user, .text = std::string(text)}};
    auto sorted = seal::sort(seal::Labelled<chat::ChatRequest>{request, {.decision = {}, .conversation = "c-1", .client = "k-1"}});
    return *seal::clear_for_remote(std::get<seal::Open<chat::ChatRequest>>(std::move(sorted)), OpenGate{});
  }

  int post(net::Headers headers, const std::string& target = "/v1/send/cloud/v1/messages", std::string_view body = "{}") {
    const auto reply = http->send({.method = "POST", .address = server->address(), .target = target, .headers = std::move(headers),
                                   .body = {as_byte_span(body)}}, soon(), {});
    return reply ? reply->status : 0;
  }

  TemporaryDirectory directory = *TemporaryDirectory::create("egress");
  test::ScriptedService cloud;
  ListAudit audit;
  std::unique_ptr<net::HttpClient> http = net::make_curl_client();
  upstream::EndpointSpec spec;
  std::unique_ptr<Egress> egress;
  std::unique_ptr<net::HttpServer> server;
  std::unique_ptr<upstream::RemoteEndpoint> remote;
};

TEST(Egress, LetsOpenWorkOutWithTheKeyAndRecordsItBeforeAndAfter) {
  House house(Json::array({hello()}));
  auto stream = house.remote->ask(house.cleared("the words"), soon(), {});
  ASSERT_TRUE(stream) << stream.error().message;
  const auto reply = upstream::read_whole(**stream, soon());
  ASSERT_TRUE(reply) << reply.error().message;
  EXPECT_EQ(reply->text(), "hello");
  stream->reset();
  house.server->stop();
  const auto seen = house.cloud.seen();
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_EQ(seen[0].path, "/v1/messages");
  EXPECT_EQ(seen[0].headers.get("x-api-key"), "secret-key");
  for (const std::string_view name : {header::label, header::reasons, header::conversation, header::client}) {
    EXPECT_FALSE(seen[0].headers.contains(name)) << name;
  }
  ASSERT_EQ(house.audit.records.size(), 2u);
  EXPECT_EQ(house.audit.records[0].outcome, "going");
  EXPECT_EQ(house.audit.records[1].outcome, "200");
  EXPECT_EQ(house.audit.records[1].clearance.conversation, "c-1");
  EXPECT_EQ(house.audit.records[1].bytes_out, seen[0].body.size());
  EXPECT_GT(house.audit.records[1].bytes_in, 0u);
  for (const auto& record : house.audit.records) {
    EXPECT_EQ(dump_json(seal::to_json(record)).find("the words"), std::string::npos);
  }
}

TEST(Egress, LetsNothingElseOut) {
  House house(Json::array({hello()}));
  const auto labelled = [](std::string label) { return net::Headers{{std::string(header::label), std::move(label)}}; };
  EXPECT_EQ(house.post(labelled("sealed")), 403);
  EXPECT_EQ(house.post(labelled("house")), 403);
  EXPECT_EQ(house.post(labelled("OPEN")), 403);
  EXPECT_EQ(house.post(labelled("")), 403);
  EXPECT_EQ(house.post({}), 403);
  EXPECT_EQ(house.post({{"x-hearth-label", "open"}, {"X-Hearth-Label", "open"}}), 403);
  EXPECT_EQ(house.post({{"x-hearth-label", "open"}, {"x-hearth-reasons", "[[\"folder\",\"sealed\",\"~/journal\"]]"}}), 403);
  EXPECT_EQ(house.post({{"x-hearth-label", "open"}, {"x-hearth-reasons", "garbage"}}), 403);
  EXPECT_EQ(house.post(labelled("open"), "/v1/send/other/v1/messages"), 404);
  EXPECT_EQ(house.post(labelled("open"), "/v1/send/cloud/v1/files"), 403);
  EXPECT_EQ(house.post(labelled("open"), "/v1/send/cloud/../v1/messages"), 403);
  EXPECT_EQ(house.cloud.seen().size(), 0u);
  EXPECT_EQ(house.audit.records.size(), 11u);
  for (const auto& record : house.audit.records) EXPECT_EQ(record.act, seal::AuditAct::refused);
}

TEST(Egress, WhatCannotBeRecordedDoesNotLeave) {
  House house(Json::array({hello()}));
  house.audit.broken = true;
  EXPECT_FALSE(house.remote->ask(house.cleared("x"), soon(), {}));
  EXPECT_EQ(house.cloud.seen().size(), 0u);
}

TEST(Egress, AnInspectionKeepsItHere) {
  House house(Json::array({hello()}), [](const seal::Clearance&, ByteSpan body) -> Result<> {
    if (as_text(body).find("canary") == std::string_view::npos) return {};
    return fail(Code::permission, "a canary");
  });
  const auto refused = house.remote->ask(house.cleared("a canary inside"), soon(), {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(house.cloud.seen().size(), 0u);
  EXPECT_EQ(house.audit.records.at(0).outcome, "inspection");
}

TEST(Egress, WithoutItNothingLeavesAndTheClientIsToldWhatToStart) {
  House house(Json::array({hello()}));
  house.server->stop();
  house.server.reset();
  house.spec.tries_max = 1;
  const auto alone = *upstream::make_remote_endpoint(house.spec, net::Address::unix_socket(house.directory.path() / "egress"), *house.http);
  const auto refused = alone->ask(house.cleared("x"), soon(), {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, chat::ApiError::Kind::overloaded);
}

TEST(Egress, AClientThatLeavesEndsTheWorkThere) {
  const Json held = Json::object({{"pieces", Json::array({event("message_start", Json::object({{"message", Json::object()}}))})}, {"hold", true}});
  House house(Json::array({held}));
  auto stream = house.remote->ask(house.cleared("x"), soon(), {});
  ASSERT_TRUE(stream) << stream.error().message;
  stream->reset();
  EXPECT_TRUE(house.cloud.wait_for_leaving());
}

TEST(Egress, TheServicesOwnRefusalsComeBackAsTheyAre) {
  House house(Json::array({Json::object({{"status", 429}, {"type", "application/json"}, {"headers", Json::object({{"retry-after", "99"}})},
                                         {"body", "{\"error\":{\"type\":\"rate_limit_error\",\"message\":\"slow\"}}"}})}));
  const auto refused = house.remote->ask(house.cleared("x"), soon(), {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, chat::ApiError::Kind::rate_limit);
  EXPECT_EQ(refused.error().retry_after, std::chrono::seconds(99));
}

}  // namespace
}  // namespace hearth::egress
