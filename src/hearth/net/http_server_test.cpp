// The server against raw connections: what it takes, what it refuses, and who gets told.
#include "hearth/net/http_server.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>

#include "hearth/base/thread.h"
#include "hearth/net/http_connection.h"
#include "hearth/net/test_server.h"

namespace hearth::net {
namespace {

using std::chrono::milliseconds;

Router echo_router() {
  Router router;
  router.add("GET", "/hello", [](Request&, const PathParams&) -> Result<Response> {
    return Response::text(200, "hi");
  });
  router.add("POST", "/echo", [](Request& request, const PathParams&) -> Result<Response> {
    return Response::bytes(std::move(request.body));
  });
  router.add("POST", "/tiny",
             [](Request& request, const PathParams&) -> Result<Response> {
               return Response::text(200, std::to_string(request.body.size()));
             },
             {.body_bytes_max = 10});
  router.add("GET", "/split", [](Request&, const PathParams&) -> Result<Response> {
    Response response = Response::text(200, "x");
    response.headers.add("X-Text", "a\r\nSet-Cookie: b");
    return response;
  });
  return router;
}

// One conversation over memory: no sockets, no threads of the server.
std::string converse(std::string_view text, const HttpServerOptions& options = {}) {
  const Router router = echo_router();
  auto [client, server] = make_memory_streams(1 << 20);
  write_text(*client, text);
  client->shutdown_write();
  serve_connection(*server, {router, options, nullptr, {}});
  server->close();
  return read_to_end(*client);
}
int status_in(std::string_view answer) {
  return answer.size() < 12 ? 0 : std::atoi(std::string(answer.substr(9, 3)).c_str());
}

TEST(HttpServer, AnswersByTheBook) {
  const std::string many_fields = [] {
    std::string out = "GET /hello HTTP/1.1\r\nHost: h\r\n";
    for (int i = 0; i < 200; ++i) out += "a: b\r\n";
    return out + "\r\n";
  }();
  const std::string large_field =
      "GET /hello HTTP/1.1\r\nHost: h\r\nX: " + std::string(70'000, 'x') + "\r\n\r\n";
  const std::string long_line = "GET /" + std::string(70'000, 'x') + " HTTP/1.1\r\nHost: h\r\n\r\n";
  const std::string endless = std::string(100'000, 'x');
  struct Case {
    std::string_view request;
    int status;  // 0: closed without an answer
    std::string_view contains;
  };
  const Case cases[] = {
      {"GET /hello HTTP/1.1\r\nHost: h\r\n\r\n", 200, "\r\n\r\nhi"},
      {"GET http://h/hello HTTP/1.1\r\nHost: h\r\n\r\n", 200, "hi"},
      {"HEAD /hello HTTP/1.1\r\nHost: h\r\n\r\n", 200, "Content-Length: 2\r\n\r\n"},
      {"GET /hello HTTP/1.0\r\n\r\n", 200, "Connection: close"},
      {"GET /hello HTTP/1.1\r\n\r\n", 400, "no Host"},
      {"GET /none HTTP/1.1\r\nHost: h\r\n\r\n", 404, R"("code":"not_found")"},
      {"PUT /hello HTTP/1.1\r\nHost: h\r\n\r\n", 405, "Allow: GET, HEAD\r\n"},
      {"GET /%zz HTTP/1.1\r\nHost: h\r\n\r\n", 400, "percent"},
      {"GET * HTTP/1.1\r\nHost: h\r\n\r\n", 400, ""},
      {"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc", 200, "\r\n\r\nabc"},
      {"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
       "3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nTrailer: t\r\n\r\n",
       200, "\r\n\r\nabcde"},
      {"POST /tiny HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n0123456789", 200, "10"},
      {"POST /tiny HTTP/1.1\r\nHost: h\r\nContent-Length: 11\r\n\r\n", 413, "10 are the limit"},
      {"POST /tiny HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
       "b\r\n0123456789a\r\n0\r\n\r\n",
       413, ""},
      {"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400, ""},
      {"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\n", 501, ""},
      {"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400,
       ""},
      {"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"
       "0\r\n\r\n",
       400, ""},
      {"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n", 400, ""},
      {"POST /echo HTTP/1.1\r\nHost: h\r\nExpect: tea\r\nContent-Length: 1\r\n\r\na", 417, ""},
      {"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nabc", 0, ""},
      {"GET /split HTTP/1.1\r\nHost: h\r\n\r\n", 200, "X-Text: a  Set-Cookie: b\r\n"},
      {"\r\n\r\n", 400, ""},
      {"\x16\x03\x01 not HTTP\r\n\r\n", 400, ""},
      {"GET /hello HTTP/2.7\r\n\r\n", 400, ""},
      {"GET /hello HTTP/1.1\r\nBad Name: x\r\n\r\n", 400, ""},
      {many_fields, 431, ""},
      {large_field, 431, ""},
      {long_line, 431, ""},
      {endless, 431, ""},
      {"GET /hel", 0, ""},
      {"", 0, ""},
  };
  for (const Case& one : cases) {
    const std::string answer = converse(one.request);
    const auto shown = one.request.substr(0, 120);
    EXPECT_EQ(status_in(answer), one.status) << shown << "\n" << answer;
    EXPECT_NE(answer.find(one.contains), std::string::npos) << shown << "\n" << answer;
    if (one.status == 400) {
      EXPECT_NE(answer.find("Connection: close"), std::string::npos) << shown;
    }
  }
}

TEST(HttpServer, PipelinedRequestsShareAConnection) {
  const std::string answers = converse(
      "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nab"
      "GET /none HTTP/1.1\r\nHost: h\r\n\r\n"
      "GET /hello HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
      "GET /hello HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(answers.find("200 OK"), 9u);
  EXPECT_NE(answers.find("404"), std::string::npos);
  EXPECT_TRUE(answers.ends_with("Connection: close\r\n\r\nhi")) << answers;
}

TEST(HttpServer, RefusesALargeBodyBeforeReadingIt) {
  TestServer server(echo_router());
  const auto client = server.connect();
  write_text(*client, "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 104857600\r\n\r\n");
  EXPECT_EQ(status_in(read_until(*client, "\r\n\r\n")), 413);
}

TEST(HttpServer, AsksWhetherABodyMayComeBeforeReadingIt) {
  auto alive = std::make_shared<int>(0);
  std::atomic<int> handled = 0;
  Router router;
  router.add(
      "PUT", "/{name}",
      [&](Request& request, const PathParams&) -> Result<Response> {
        ++handled;
        EXPECT_EQ(request.admission, alive);
        return Response::text(200, std::to_string(request.body.size()));
      },
      {.admit = [&](const Request&, std::uint64_t, const PathParams& params) -> Result<Admitted> {
        if (params["name"] == "unknown") return fail(Code::not_found, "nobody waits for it");
        if (params["name"] == "known") return Admitted(Response::text(200, "have it"));
        return Admitted(std::shared_ptr<void>(alive));
      }});
  TestServer server(std::move(router));
  const auto put = [](std::string_view name, std::string_view body) {
    return fmt::format("PUT /{} HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n{}", name, body);
  };
  // Refused without its body; the others on one connection.
  const auto refused = server.connect();
  write_text(*refused, put("unknown", ""));
  EXPECT_EQ(status_in(read_until(*refused, "\r\n\r\n")), 404);
  const auto client = server.connect();
  write_text(*client, put("known", "abcde"));
  EXPECT_EQ(status_in(read_until(*client, "have it")), 200);
  EXPECT_EQ(handled, 0);
  write_text(*client, put("new", "abcde"));
  EXPECT_EQ(status_in(read_until(*client, "\r\n\r\n5")), 200);
  EXPECT_EQ(handled, 1);
  // What was given goes with a body that is cut.
  const auto cut = server.connect();
  write_text(*cut, put("new", "ab"));
  cut->close();
  server.server.reset();
  EXPECT_EQ(handled, 1);
  EXPECT_EQ(alive.use_count(), 1);
}

// PUT /stranger is turned away, any other name is let in with `given`.
Router guarded_router(std::shared_ptr<int> given, Handler handler, std::atomic<std::uint64_t>& asked_bytes) {
  Router router;
  router.add("PUT", "/{name}", std::move(handler),
             {.body_bytes_max = 1000,
              .admit = [given = std::move(given), &asked_bytes](const Request&, std::uint64_t body_bytes,
                                                               const PathParams& params) -> Result<Admitted> {
                asked_bytes = body_bytes;
                if (params["name"] == "stranger") return Admitted(TurnedAway{Response::text(401, "who are you?")});
                return Admitted(std::shared_ptr<void>(given));
              },
              .admits_chunked = true});
  return router;
}
Result<Response> body_size(Request& request, const PathParams&) {
  return Response::text(200, std::to_string(request.body.size()));
}

TEST(HttpServer, TurnsAwayByTheHeadWithoutReadingABody) {
  std::atomic<std::uint64_t> asked_bytes = 0;
  TestServer server(guarded_router(std::make_shared<int>(0), body_size, asked_bytes));
  // Told before it sends, and instead of the length's refusal: who may not ask learns no limit.
  const auto stranger = server.connect();
  write_text(*stranger, "PUT /stranger HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n"
                        "Content-Length: 104857600\r\n\r\n");
  const std::string told = read_to_end(*stranger);
  EXPECT_EQ(status_in(told), 401) << told;
  EXPECT_NE(told.find("Connection: close"), std::string::npos) << told;
  EXPECT_TRUE(told.ends_with("who are you?")) << told;
  EXPECT_EQ(asked_bytes.load(), 104857600U);
  // Without a body nothing is left unread, so the connection goes on.
  const auto client = server.connect();
  for (int i = 0; i < 2; ++i) {
    write_text(*client, "PUT /stranger HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n");
    EXPECT_EQ(status_in(read_until(*client, "who are you?")), 401);
  }
}

TEST(HttpServer, ABodyOfUnknownLengthIsAskedForAsTheLargestWhereThatIsTaken) {
  std::atomic<std::uint64_t> asked_bytes = 0;
  TestServer server(guarded_router(std::make_shared<int>(0), body_size, asked_bytes));
  const auto client = server.connect();
  write_text(*client, "PUT /known HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
                      "3\r\nabc\r\n0\r\n\r\n");
  EXPECT_EQ(status_in(read_until(*client, "\r\n\r\n3")), 200);
  EXPECT_EQ(asked_bytes.load(), 1000U);
  const auto stranger = server.connect();
  write_text(*stranger, "PUT /stranger HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
  EXPECT_EQ(status_in(read_to_end(*stranger)), 401);
}

TEST(HttpServer, WhatABodyWasGivenDoesNotWaitForALongAnswer) {
  auto alive = std::make_shared<int>(0);
  std::atomic<std::uint64_t> asked_bytes = 0;
  QuietLife life;
  const auto quiet = [&](Request&, const PathParams&) -> Result<Response> {
    return Response::stream(std::make_unique<QuietSource>(life), "text/plain");
  };
  TestServer server(guarded_router(alive, quiet, asked_bytes));
  const auto client = server.connect();
  const auto before = alive.use_count();
  write_text(*client, "PUT /known HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nab");
  read_until(*client, "first\n");
  EXPECT_EQ(alive.use_count(), before);
}

TEST(HttpServer, AsksForAnExpectedBody) {
  TestServer server(echo_router());
  const auto client = server.connect();
  write_text(*client,
             "POST /echo HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  EXPECT_EQ(read_until(*client, "\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  write_text(*client, "ok");
  EXPECT_EQ(status_in(read_until(*client, "\r\n\r\nok")), 200);
}

TEST(HttpServer, EndsSlowHeadsAndBodiesAndIdleConnections) {
  HttpServerOptions options;
  options.head_time_max = milliseconds(50);
  options.transfer_time = milliseconds(50);
  options.idle_time_max = milliseconds(50);
  TestServer server(echo_router(), options);
  const auto slow_head = server.connect();
  write_text(*slow_head, "GET /hello HTTP/1.1\r\nHo");
  const auto slow_body = server.connect();
  write_text(*slow_body, "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nab");
  const auto slow_chunk = server.connect();
  write_text(*slow_chunk,
             "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\na");
  const auto idle = server.connect();
  EXPECT_EQ(status_in(read_to_end(*slow_head)), 408);
  EXPECT_EQ(status_in(read_to_end(*slow_body)), 408);
  EXPECT_EQ(status_in(read_to_end(*slow_chunk)), 408);
  EXPECT_EQ(read_to_end(*idle), "");
}

TEST(HttpServer, WhoSaysNothingHasNoPlaceForLongButOneWhoWasAnsweredHas) {
  HttpServerOptions options;
  options.head_time_max = milliseconds(50);
  options.idle_time_max = std::chrono::minutes(10);
  TestServer server(echo_router(), options);
  const auto served = server.connect();
  write_text(*served, "GET /hello HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(status_in(read_until(*served, "\r\n\r\n")), 200);
  const auto silent = server.connect();
  EXPECT_EQ(read_to_end(*silent), "");
  write_text(*served, "GET /hello HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_NE(read_until(*served, "HTTP/1.1 200").find("HTTP/1.1 200"), std::string::npos) << "kept for longer than that";
}

// A machine that was switched off in mid-body says nothing any more; what it had reserved is given back long before the whole
// could have come at the slowest rate.
TEST(HttpServer, EndsBodiesThatFallSilent) {
  HttpServerOptions options;
  options.body_silence_max = milliseconds(50);
  Router router = echo_router();
  router.add("PUT", "/refused", [](Request&, const PathParams&) -> Result<Response> { return Response::empty(); },
             {.admit = [](const Request&, std::uint64_t, const PathParams&) -> Result<Admitted> {
               return Admitted(Response::text(200, "it is thrown away"));
             }});
  TestServer server(std::move(router), options);
  const auto counted = server.connect();
  write_text(*counted, "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nab");
  const auto chunked = server.connect();
  write_text(*chunked, "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\na");
  const auto thrown_away = server.connect();
  write_text(*thrown_away, "PUT /refused HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nab");
  EXPECT_EQ(status_in(read_to_end(*counted)), 408);
  EXPECT_EQ(status_in(read_to_end(*chunked)), 408);
  EXPECT_EQ(status_in(read_to_end(*thrown_away)), 408);
}

// A trickle of bytes does not buy time: the deadline is for the whole head.
TEST(HttpServer, TrickleDoesNotExtendTheHeadDeadline) {
  HttpServerOptions options;
  options.head_time_max = milliseconds(100);
  TestServer server(echo_router(), options);
  const auto client = server.connect();
  Thread trickle("trickle", [&] {
    const auto pause = [] { return Deadline::after(milliseconds(10)); };
    std::byte unused[1];
    // Each wait for an answer that does not come is the pause between two bytes.
    for (int i = 0; i < 1000; ++i) {
      if (!client->write_all(as_byte_span("x"), soon(), {})) return;
      const auto answered = client->read_some(unused, pause(), {});
      if (answered || answered.error().code != Code::timed_out) return;
    }
    ADD_FAILURE() << "the server never lost patience";
  });
}

TEST(HttpServer, BeyondItsConnectionsItSaysComeBack) {
  HttpServerOptions options;
  options.connections_max = 1;
  TestServer server(echo_router(), options);
  const auto first = server.connect();
  write_text(*first, "GET /hello HTTP/1.1\r\nHost: h\r\n\r\n");
  read_until(*first, "hi");
  const auto second = server.connect();
  write_text(*second, "GET /hello HTTP/1.1\r\nHost: h\r\n\r\n");
  const std::string answer = read_to_end(*second);
  EXPECT_EQ(status_in(answer), 503);
  EXPECT_NE(answer.find("Retry-After: 1"), std::string::npos);
}

TEST(HttpServer, RendersErrorsAsToldTo) {
  HttpServerOptions options;
  options.render_error = [](const Request& request, int status, const Error&) {
    return Response::text(status, "rendered " + request.path);
  };
  EXPECT_NE(converse("GET /none HTTP/1.1\r\nHost: h\r\n\r\n", options).find("rendered /none"),
            std::string::npos);
}

class LeavingClient : public testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(TcpAndUnix, LeavingClient, testing::Bool());

TEST_P(LeavingClient, EndsAQuietStreamAtOnce) {
  QuietLife life;
  Router router;
  router.add("GET", "/quiet", [&](Request&, const PathParams&) -> Result<Response> {
    return Response::stream(std::make_unique<QuietSource>(life), "text/plain");
  });
  TestServer server(std::move(router), {}, GetParam());
  auto client = server.connect();
  write_text(*client, "GET /quiet HTTP/1.1\r\nHost: h\r\n\r\nGET /pipelined");
  EXPECT_NE(read_until(*client, "first\n").find("Transfer-Encoding: chunked"), std::string::npos);
  ASSERT_TRUE(life.waiting.wait());
  const Instant left = std::chrono::steady_clock::now();
  client.reset();
  EXPECT_TRUE(life.stopped.wait());
  EXPECT_TRUE(life.destroyed.wait());
  const auto took = std::chrono::steady_clock::now() - left;
  RecordProperty("noticed_after_ms", std::to_string(hearth::milliseconds(took)));
  EXPECT_LT(took, std::chrono::seconds(1));
}

TEST_P(LeavingClient, FiresTheTokenOfARunningHandler) {
  Flag running;
  Flag stopped;
  Router router;
  router.add("GET", "/slow", [&](Request& request, const PathParams&) -> Result<Response> {
    Flag fired;
    const StopCallback on_stop(request.stop, [&] { fired.set(); });
    running.set();
    if (fired.wait()) stopped.set();
    return fail(Code::cancelled, "the client left");
  });
  TestServer server(std::move(router), {}, GetParam());
  auto client = server.connect();
  write_text(*client, "GET /slow HTTP/1.1\r\nHost: h\r\n\r\n");
  ASSERT_TRUE(running.wait());
  client.reset();
  EXPECT_TRUE(stopped.wait());
}

TEST(HttpServer, StopEndsStreamsAndIdleConnections) {
  QuietLife life;
  Router router = echo_router();
  router.add("GET", "/quiet", [&](Request&, const PathParams&) -> Result<Response> {
    return Response::stream(std::make_unique<QuietSource>(life), "text/plain");
  });
  TestServer server(std::move(router));
  const auto idle = server.connect();
  write_text(*idle, "GET /hello HTTP/1.1\r\nHost: h\r\n\r\n");
  read_until(*idle, "hi");
  const auto streaming = server.connect();
  write_text(*streaming, "GET /quiet HTTP/1.1\r\nHost: h\r\n\r\n");
  ASSERT_TRUE(life.waiting.wait());
  server.server->stop();
  EXPECT_TRUE(life.destroyed.wait());
  EXPECT_EQ(server.server->connection_count(), 0u);
  EXPECT_EQ(read_to_end(*idle), "");
  EXPECT_FALSE(read_to_end(*streaming).ends_with("0\r\n\r\n"));  // cut, not ended
  EXPECT_FALSE(connect_stream(server.address(), soon(), {}));
}

TEST(HttpServer, StopLetsAnAnswerInProgressOut) {
  Flag running;
  Router router;
  router.add("GET", "/slow", [&](Request& request, const PathParams&) -> Result<Response> {
    Flag fired;
    const StopCallback on_stop(request.stop, [&] { fired.set(); });
    running.set();
    fired.wait();
    return Response::text(200, "last words");
  });
  TestServer server(std::move(router));
  const auto client = server.connect();
  write_text(*client, "GET /slow HTTP/1.1\r\nHost: h\r\n\r\n");
  ASSERT_TRUE(running.wait());
  server.server->stop();
  EXPECT_TRUE(read_to_end(*client).ends_with("Connection: close\r\n\r\nlast words"));
}

TEST(HttpServer, StopCutsAClientThatDoesNotRead) {
  HttpServerOptions options;
  options.stop_grace = milliseconds(50);
  Router router;
  router.add("GET", "/large", [](Request&, const PathParams&) -> Result<Response> {
    return Response::text(200, std::string(32 << 20, 'x'));
  });
  TestServer server(std::move(router), options);
  const auto client = server.connect();
  write_text(*client, "GET /large HTTP/1.1\r\nHost: h\r\n\r\n");
  read_until(*client, "\r\n\r\n");
  server.server->stop();  // must return although the answer cannot be sent
  EXPECT_EQ(server.server->connection_count(), 0u);
}

}  // namespace
}  // namespace hearth::net
