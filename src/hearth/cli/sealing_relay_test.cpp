#include "hearth/cli/sealing_relay.h"

#include <gtest/gtest.h>

#include "hearth/net/http_client_twins.h"

namespace hearth::cli {
namespace {

// A gateway that says what it was asked.
net::Router echoing_gateway() {
  net::Router out;
  const auto echo = [](net::Request& request, const net::PathParams&) -> Result<net::Response> {
    std::string labels;
    for (const auto& [name, value] : request.headers) {
      if (net::equals_ignoring_case(name, "x-hearth-label")) labels += value + ";";
    }
    const std::string* query = request.query_value("q");
    net::Response reply = net::Response::text(201, request.method + " " + request.path + " " + (query == nullptr ? "" : *query) + " " +
                                                       std::string(request.body_text()));
    reply.headers.set("X-Labels", labels);
    reply.headers.set("X-Key", std::string(request.headers.get("x-api-key")));
    return reply;
  };
  for (const char* method : {"GET", "POST", "DELETE"}) out.add(method, "/{rest*}", echo);
  return out;
}

class SealingRelay : public testing::Test {
 protected:
  net::ClientReply ask(std::string method, std::string target, std::string_view body, net::Headers headers) {
    return client_->send({.method = std::move(method), .target = std::move(target), .headers = std::move(headers), .body = {as_byte_span(body)}},
                         Deadline::after(std::chrono::seconds(20)), {}).value();
  }
  const net::Router gateway_ = echoing_gateway();
  std::unique_ptr<net::HttpClient> to_gateway_ = net::make_router_client(gateway_);
  const net::Router relay_ = sealing_relay(net::Address::tcp("127.0.0.1", 1), *to_gateway_);
  std::unique_ptr<net::HttpClient> client_ = net::make_router_client(relay_);
};

TEST_F(SealingRelay, WhateverAClientSaysOfItsWorkItIsSealed) {
  const std::vector<net::Headers> said = {{}, {{"X-Hearth-Label", "open"}}, {{"x-hearth-label", "open"}, {"X-HEARTH-LABEL", "house"}}, {{"X-Hearth-Label", "sealed"}}};
  for (const net::Headers& headers : said) EXPECT_EQ(ask("POST", "/v1/messages", "{}", headers).headers.get("x-labels"), "sealed;");
}

TEST_F(SealingRelay, AllElseGoesOnAsItCame) {
  const auto reply = ask("POST", "/v1/a%20b?q=x%26y%20z", "the body", {{"x-api-key", "key"}, {"Connection", "x-hearth-label"}});
  EXPECT_EQ(reply.status, 201);
  EXPECT_EQ(reply.body_text(), "POST /v1/a%20b x&y z the body");
  EXPECT_EQ(reply.headers.get("x-key"), "key");
  EXPECT_EQ(ask("DELETE", "/", "", {}).body_text(), "DELETE /  ");
}

}  // namespace
}  // namespace hearth::cli
