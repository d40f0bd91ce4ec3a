#pragma once
// What the tests of the whole gateway share: one over a scripted model, called without sockets or
// through a server on port 0, and readers of what it answers.

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "hearth/gateway/gateway.h"
#include "hearth/net/http_client_twins.h"
#include "hearth/net/sse.h"
#include "tests/support/anthropic_stream.h"
#include "tests/support/scripted_model.h"

namespace hearth::gateway {

inline Deadline soon() { return Deadline::after(std::chrono::seconds(20)); }  // never reached

// Waits for everything; a test shortens what it is about.
inline GatewayOptions patient_options() {
  const Duration long_time = std::chrono::hours(1);
  GatewayOptions out;
  out.model_id = "test-model";
  out.jobs.grace = long_time;
  out.heartbeat = long_time;
  out.start_wait = std::chrono::seconds(20);
  out.whole_answer_wait = std::chrono::seconds(20);
  return out;
}

// One streamed answer, event by event.
class EventReader {
 public:
  explicit EventReader(std::unique_ptr<net::ResponseStream> stream) : stream_(std::move(stream)) {}

  int status() const { return stream_->status(); }
  const net::Headers& headers() const { return stream_->headers(); }
  // Nothing at the end of the stream.
  std::optional<net::SseEvent> next() {
    while (true) {
      if (auto event = parser_.next()) return event;
      const auto piece = stream_->read(soon());
      if (!piece || piece->empty()) return {};
      bytes_ += as_text(*piece);
      EXPECT_TRUE(parser_.push(*piece));
    }
  }
  // Reads up to an event of that name, at most 10,000 others.
  bool read_until(std::string_view name) {
    for (int i = 0; i < 10'000; ++i) {
      const auto event = next();
      if (!event) return false;
      if (event->event == name) return true;
    }
    return false;
  }
  // Reads to the end; everything since the beginning.
  const std::string& bytes() {
    while (next()) {
    }
    return bytes_;
  }
  test::AnthropicStream answer() { return test::read_anthropic_stream(bytes()); }
  // The client goes away.
  void leave() { stream_.reset(); }

 private:
  std::unique_ptr<net::ResponseStream> stream_;
  net::SseParser parser_;
  std::string bytes_;
};

struct TestGateway {
  explicit TestGateway(GatewayOptions options = patient_options(),
                       std::string_view format_name = "kimi-k2.5",
                       test::ScriptedModelOptions model_options = {}) {
    auto format = *chat::make_format(format_name);
    model = std::make_unique<test::ScriptedModel>(format.get(), std::move(model_options));
    gateway = *Gateway::create(*model, std::move(format), std::move(options), {});
    router = gateway->routes();
    client = net::make_router_client(router);
  }

  // Through sockets from now on.
  void serve() {
    auto listener = net::Listener::listen(net::Address::tcp("127.0.0.1", 0));
    server = *net::HttpServer::start(*std::move(listener), gateway->routes(), gateway->server_options());
    gateway->set_connection_count([this] { return server->connection_count(); });
    client = net::make_curl_client();
  }

  net::ClientReply send(std::string method, std::string target, std::string_view body = {},
                        net::Headers headers = {}, const StopToken& stop = {}) {
    auto reply = client->send(request(std::move(method), std::move(target), body, std::move(headers)),
                              soon(), stop);
    if (!reply) ADD_FAILURE() << reply.error().message;
    return reply ? *std::move(reply) : net::ClientReply{};
  }
  net::ClientReply post(std::string target, const Json& body, net::Headers headers = {}) {
    return send("POST", std::move(target), dump_json(body), std::move(headers));
  }
  EventReader open(std::string target, const Json& body, net::Headers headers = {},
                   const StopToken& stop = {}) {
    const std::string text = dump_json(body);
    return EventReader(*client->open_stream(
        request("POST", std::move(target), text, std::move(headers)), soon(), stop));
  }

  std::unique_ptr<test::ScriptedModel> model;
  std::unique_ptr<Gateway> gateway;
  net::Router router;
  std::unique_ptr<net::HttpServer> server;
  std::unique_ptr<net::HttpClient> client;

 private:
  net::ClientRequest request(std::string method, std::string target, std::string_view body,
                             net::Headers headers) const {
    if (!headers.contains("host") && server == nullptr) headers.add("Host", "localhost");
    return {.method = std::move(method),
            .address = server ? server->address() : net::Address::tcp("127.0.0.1", 1),
            .target = std::move(target), .headers = std::move(headers),
            .body = {as_byte_span(body)}};
  }
};

inline Json json_of(const net::ClientReply& reply) {
  auto parsed = parse_json(reply.body_text());
  EXPECT_TRUE(parsed) << reply.body_text();
  return parsed ? *std::move(parsed) : Json();
}

// Follows keys and, for arrays, indices; null when something is missing.
inline Json at(const Json& value, std::initializer_list<std::string> path) {
  const Json* here = &value;
  for (const std::string& step : path) {
    if (here->is_array()) {
      const auto index = static_cast<std::size_t>(std::stoul(step));
      here = index < here->as_array().size() ? &here->as_array()[index] : nullptr;
    } else {
      here = here->find(step);
    }
    if (here == nullptr) return {};
  }
  return *here;
}

// A body of Anthropic Messages.
inline Json message_body(std::string_view text, bool stream = false) {
  return Json::object(
      {{"model", "any"}, {"max_tokens", 1000}, {"stream", stream},
       {"messages", Json::array({Json::object({{"role", "user"}, {"content", text}})})}});
}

inline const net::Headers one_session{{"x-claude-code-session-id", "s-1"}};

}  // namespace hearth::gateway
