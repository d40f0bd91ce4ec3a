// Bodies at the gateway, over sockets: who may send one is asked before a byte of it is read, and all of
// them together have a bound.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <tuple>

#include "hearth/gateway/test_gateway.h"
#include "hearth/net/test_server.h"

namespace hearth::gateway {
namespace {

constexpr std::string_view go_on = "HTTP/1.1 100 Continue\r\n\r\n";

// A client that sends its body only once it is asked to.
std::unique_ptr<net::Stream> announce(const TestGateway& home, std::string_view path, std::size_t body_bytes,
                                      std::string_view headers = {}) {
  auto client = *net::connect_stream(home.server->address(), soon(), {});
  net::write_text(*client, fmt::format("POST {} HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n"
                                       "Content-Length: {}\r\n{}\r\n", path, body_bytes, headers));
  return client;
}

void expect_told(std::string_view answer, int status, std::string_view word) {
  EXPECT_TRUE(answer.starts_with(fmt::format("HTTP/1.1 {} ", status))) << answer;
  EXPECT_NE(answer.find(word), std::string_view::npos) << answer;
  EXPECT_NE(answer.find("Connection: close"), std::string_view::npos) << answer;
}

TEST(GatewayBodies, WhoMayNotAskIsToldBeforeABodyIsRead) {
  GatewayOptions options = patient_options();
  options.access.api_keys = {"right"};
  TestGateway home(options);
  home.serve();
  struct Case {
    const char* path;
    const char* no_key;
    const char* no_origin;
  };
  for (const Case& one : {Case{"/v1/messages", "authentication_error", "permission_error"},
                          {"/v1/messages/count_tokens", "authentication_error", "permission_error"},
                          {"/v1/chat/completions", "invalid_api_key", "permission_denied"},
                          {"/v1/completions", "invalid_api_key", "permission_denied"},
                          {"/v1/responses", "invalid_api_key", "permission_denied"}}) {
    SCOPED_TRACE(one.path);
    for (const std::size_t body_bytes : {std::size_t{1000}, std::size_t{1} << 40}) {
      expect_told(net::read_to_end(*announce(home, one.path, body_bytes)), 401, one.no_key);
      expect_told(net::read_to_end(*announce(home, one.path, body_bytes, "x-api-key: wrong\r\n")), 401, one.no_key);
      const auto foreign = announce(home, one.path, body_bytes, "x-api-key: right\r\nOrigin: https://evil.example\r\n");
      expect_told(net::read_to_end(*foreign), 403, one.no_origin);
    }
    EXPECT_EQ(net::read_until(*announce(home, one.path, 1000, "x-api-key: right\r\n"), "\r\n\r\n"), go_on);
  }
  const auto metrics = std::string(home.send("GET", "/metrics", {}, {{"x-api-key", "right"}}).body_text());
  EXPECT_NE(metrics.find("hearth_requests_total{api=\"anthropic\",status=\"401\"} 8"), std::string::npos) << metrics;
}

struct BoundedGateway {
  BoundedGateway() : home(options()) { home.serve(); }
  static GatewayOptions options() {
    GatewayOptions out = patient_options();
    out.body_bytes_max = 1500;
    out.bodies_bytes_max = 2000;
    return out;
  }
  bool has_room_for(std::size_t body_bytes) const {
    const auto client = announce(home, "/v1/messages", body_bytes);
    return net::read_until(*client, "\r\n\r\n") == go_on;
  }
  TestGateway home;
};

TEST(GatewayBodies, BeyondTheirBoundTheyAreToldToComeBack) {
  BoundedGateway gateway;
  TestGateway& home = gateway.home;
  const auto first = announce(home, "/v1/messages", 1500);
  ASSERT_EQ(net::read_until(*first, "\r\n\r\n"), go_on);
  for (const auto& [path, status, word] : {std::tuple("/v1/messages", 529, "overloaded_error"),
                                           std::tuple("/v1/chat/completions", 503, "service_unavailable")}) {
    const std::string answer = net::read_to_end(*announce(home, path, 1000));
    expect_told(answer, status, word);
    EXPECT_NE(answer.find("Retry-After: 5\r\n"), std::string::npos) << answer;
  }
  // One too large at any time is told so, and what fits beside the first is answered.
  expect_told(net::read_to_end(*announce(home, "/v1/messages", 1501)), 413, "invalid_request_error");
  EXPECT_EQ(home.post("/v1/messages", message_body("hi")).status, 200);
  // Its room is there again by the time its client is answered.
  net::write_text(*first, std::string(1500, ' '));
  EXPECT_TRUE(net::read_until(*first, "\"}").starts_with("HTTP/1.1 400 "));
  EXPECT_TRUE(gateway.has_room_for(1500));
}

TEST(GatewayBodies, OneOfUnknownLengthTakesTheRoomOfTheLargestUntilItIsRead) {
  BoundedGateway gateway;
  TestGateway& home = gateway.home;
  const auto gate = std::make_shared<test::Gate>();
  home.model->script({.text = "ok", .token_gate = gate});
  const std::string body = dump_json(message_body("hi"));
  const auto client = *net::connect_stream(home.server->address(), soon(), {});
  net::write_text(*client, "POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n"
                           "Transfer-Encoding: chunked\r\n\r\n");
  ASSERT_EQ(net::read_until(*client, "\r\n\r\n"), go_on);
  EXPECT_FALSE(gateway.has_room_for(1000));
  net::write_text(*client, fmt::format("{:x}\r\n{}\r\n0\r\n\r\n", body.size(), body));
  ASSERT_TRUE(home.model->wait_for([](const auto& counts) { return counts.started == 1; }));
  EXPECT_TRUE(gateway.has_room_for(1500));
  gate->open();
  EXPECT_TRUE(net::read_until(*client, "\r\n\r\n").starts_with("HTTP/1.1 200 "));
}

}  // namespace
}  // namespace hearth::gateway
