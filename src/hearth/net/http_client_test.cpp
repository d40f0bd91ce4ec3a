// The curl client against our server and against servers that misbehave.
#include "hearth/net/http_client.h"

#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <iterator>
#include <numeric>

#include "hearth/base/child_process.h"
#include "hearth/base/thread.h"
#include "hearth/net/http_error.h"
#include "hearth/net/test_server.h"

namespace hearth::net {
namespace {

using std::chrono::milliseconds;

// `count` pieces of `piece_bytes`, each filled with its number.
class CountingSource final : public BodySource {
 public:
  CountingSource(std::size_t count, std::size_t piece_bytes, std::atomic<std::size_t>* given)
      : count_(count), piece_(piece_bytes), given_(given) {}
  Result<ByteSpan> next(const StopToken&) override {
    if (next_ == count_) return ByteSpan();
    std::ranges::fill(piece_, static_cast<std::byte>(next_++));
    if (given_ != nullptr) *given_ += piece_.size();
    return ByteSpan(piece_);
  }

 private:
  std::size_t count_;
  std::size_t next_ = 0;
  Bytes piece_;
  std::atomic<std::size_t>* given_;
};

Router sample_router(std::atomic<std::size_t>* given = nullptr) {
  Router router;
  router.add("GET", "/who", [](Request& request, const PathParams&) -> Result<Response> {
    return Response::text(
        200, request.remote + "|" + std::string(request.headers.get("X-Empty", "absent")));
  });
  const Handler echo = [](Request& request, const PathParams&) -> Result<Response> {
    Response response = Response::bytes(std::move(request.body));
    response.headers.add("X-Type", std::string(request.headers.get("Content-Type", "none")));
    return response;
  };
  router.add("POST", "/echo", echo);
  router.add("PUT", "/echo", echo, {.body_bytes_max = 1u << 30});
  router.add("GET", "/count", [=](Request& request, const PathParams&) -> Result<Response> {
    const auto pieces = std::stoul(*request.query_value("pieces"));
    const auto bytes = std::stoul(*request.query_value("bytes"));
    return Response::stream(std::make_unique<CountingSource>(pieces, bytes, given), "x/y");
  });
  router.add("PUT", "/expects", [](Request& request, const PathParams&) -> Result<Response> {
    return Response::text(200, std::string(request.headers.get("Expect", "nothing")));
  }, {.body_bytes_max = 2u << 20});
  router.add("GET", "/fails", [](Request&, const PathParams&) -> Result<Response> {
    return fail(Code::not_found, "no such thing");
  });
  return router;
}

TEST(CurlClient, ReusesItsConnection) {
  TestServer server(sample_router());
  const auto client = make_curl_client();
  auto request = request_to(server.address(), "GET", "/who");
  request.headers.add("X-Empty", "");
  const auto first = take(client->send(request, soon(), {}));
  const auto second = take(client->send(request, soon(), {}));
  EXPECT_TRUE(first.body_text().ends_with("|"));
  EXPECT_EQ(first.body_text(), second.body_text());  // the same remote port
}

std::ptrdiff_t open_files() {
  return std::distance(std::filesystem::directory_iterator("/dev/fd"), std::filesystem::directory_iterator());
}

// Each worker that is started has a socket of its own: what was kept for the dead ones would never be used again.
TEST(CurlClient, KeepsNothingForServersThatAreGone) {
  TestServer lasting(sample_router());
  const auto client = make_curl_client();
  const auto ask = [&](const Address& address) { return client->send(request_to(address, "GET", "/who"), soon(), {}); };
  take(ask(lasting.address()));
  const auto before = open_files();
  for (int i = 0; i < 4; ++i) {
    TestServer passing(sample_router(), {}, /*unix_socket=*/true);
    take(ask(passing.address()));
    const Address gone = passing.address();
    passing.server.reset();
    EXPECT_FALSE(ask(gone));
  }
  take(ask(lasting.address()));
  EXPECT_EQ(open_files(), before);
}

TEST(CurlClient, SendsSpansAndSmallAndEmptyBodies) {
  TestServer server(sample_router());
  const auto client = make_curl_client();
  auto request = request_to(server.address(), "POST", "/echo");
  request.headers.add("Content-Type", "application/json");
  request.body = {as_byte_span("ab"), {}, as_byte_span("cd")};
  auto reply = take(client->send(request, soon(), {}));
  EXPECT_EQ(reply.body_text(), "abcd");
  EXPECT_EQ(reply.headers.get("x-type"), "application/json");
  request.body.clear();
  request.headers = {};
  reply = take(client->send(request, soon(), {}));
  EXPECT_EQ(reply.body_text(), "");
  EXPECT_EQ(reply.headers.get("x-type"), "none");
}

TEST(CurlClient, AsksBeforeItSendsMuch) {
  TestServer server(sample_router());
  const auto client = make_curl_client();
  auto request = request_to(server.address(), "PUT", "/expects");
  const std::pair<std::size_t, std::string_view> cases[] = {
      {1, "nothing"}, {1u << 20, "nothing"}, {(1u << 20) + 1, "100-continue"}};
  for (const auto& [bytes, expected] : cases) {
    const std::string body(bytes, 'x');
    request.body = {as_byte_span(body)};
    EXPECT_EQ(take(client->send(request, soon(), {})).body_text(), expected) << bytes;
  }
}

TEST(CurlClient, HandsErrorsOfTheOtherSideThrough) {
  TestServer server(sample_router());
  const auto client = make_curl_client();
  const auto reply = take(client->send(request_to(server.address(), "GET", "/fails"), soon(), {}));
  EXPECT_EQ(reply.status, 404);
  const Error error = error_of_reply(reply.status, reply.body.span(), server.address().text());
  EXPECT_EQ(error.code, Code::not_found);
  const auto head = take(client->send(request_to(server.address(), "HEAD", "/who"), soon(), {}));
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.body.size(), 0u);
}

TEST(CurlClient, MovesSixtyFourMebibytesByteExactOverAUnixSocket) {
  TestServer server(sample_router(), {}, /*unix_socket=*/true);
  const auto client = make_curl_client();
  Bytes sent(64 << 20);
  for (std::size_t i = 0; i < sent.size(); ++i) {
    sent[i] = static_cast<std::byte>((i * 2654435761u) >> 13);
  }
  auto request = request_to(server.address(), "PUT", "/echo");
  request.body = {sent};
  const Instant start = std::chrono::steady_clock::now();
  const auto reply = take(client->send(request, soon(), {}));
  const double took_s = seconds(std::chrono::steady_clock::now() - start);
  std::printf("64 MiB up and down again in %.3f s: %.2f GB/s each way\n", took_s,
              2.0 * static_cast<double>(sent.size()) / took_s / 1e9);
  ASSERT_EQ(reply.body.size(), sent.size());
  EXPECT_EQ(std::memcmp(reply.body.data(), sent.data(), sent.size()), 0);
}

TEST(CurlClient, PullsAStreamByteExact) {
  TestServer server(sample_router());
  const auto client = make_curl_client();
  const auto stream = take(client->open_stream(
      request_to(server.address(), "GET", "/count?pieces=2000&bytes=1000"), soon(), {}));
  EXPECT_EQ(stream->status(), 200);
  EXPECT_EQ(stream->headers().get("Content-Type"), "x/y");
  std::size_t at = 0;
  for (;;) {
    const auto piece = take(stream->read(soon()));
    if (piece.empty()) break;
    for (const std::byte byte : piece) {
      ASSERT_EQ(byte, static_cast<std::byte>(at / 1000)) << "byte " << at;
      ++at;
    }
  }
  EXPECT_EQ(at, 2'000'000u);
  EXPECT_TRUE(take(stream->read(soon())).empty());
}

TEST(CurlClient, ASlowReaderSlowsTheSender) {
  std::atomic<std::size_t> given{0};
  TestServer server(sample_router(&given));
  const auto client = make_curl_client();
  constexpr std::size_t total = 256u << 20;
  const auto stream = take(client->open_stream(
      request_to(server.address(), "GET", "/count?pieces=4096&bytes=65536"), soon(), {}));
  ASSERT_FALSE(take(stream->read(soon())).empty());
  // The sender is blocked when reading makes no difference to what is buffered on our side.
  std::byte unused[1];
  const auto other = server.connect();  // silence on it is the pause
  EXPECT_FALSE(other->read_some(unused, Deadline::after(milliseconds(200)), {}));
  EXPECT_LT(given.load(), total / 2);
}

TEST(CurlClient, RefusesAReplyBeyondItsLimit) {
  TestServer server(sample_router());
  const auto client = make_curl_client();
  auto request = request_to(server.address(), "GET", "/count?pieces=10&bytes=1000");
  request.reply_bytes_max = 9'999;
  EXPECT_EQ(client->send(request, soon(), {}).error().code, Code::resource_exhausted);
  request.reply_bytes_max = 10'000;
  EXPECT_EQ(take(client->send(request, soon(), {})).body.size(), 10'000u);
}

// GET /quiet says "first" and then nothing more.
Router quiet_router(QuietLife& life) {
  Router router;
  router.add("GET", "/quiet", [&life](Request&, const PathParams&) -> Result<Response> {
    return Response::stream(std::make_unique<QuietSource>(life), "text/plain");
  });
  return router;
}

TEST(CurlClient, TokenWakesIt) {
  QuietLife life;
  TestServer server(quiet_router(life));
  const auto client = make_curl_client();
  StopSource source;
  Instant fired;
  Thread stopper("stopper", [&] {
    EXPECT_TRUE(life.waiting.wait());
    fired = std::chrono::steady_clock::now();
    source.request_stop();
  });
  const auto reply = client->send(request_to(server.address(), "GET", "/quiet"), Deadline::never(),
                                  source.token());
  const Instant woken = std::chrono::steady_clock::now();
  stopper.join();
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code, Code::cancelled);
  EXPECT_TRUE(life.destroyed.wait());  // the server has noticed
  std::printf("cancelled a silent transfer after %.3f ms\n", hearth::milliseconds(woken - fired));
  EXPECT_LT(woken - fired, std::chrono::seconds(1));
}

TEST(CurlClient, DeadlineEndsAReadAndAStreamMayBeReadAgain) {
  QuietLife life;
  TestServer server(quiet_router(life));
  const auto client = make_curl_client();
  auto stream =
      take(client->open_stream(request_to(server.address(), "GET", "/quiet"), soon(), {}));
  EXPECT_EQ(as_text(take(stream->read(soon()))), "first\n");
  for (int i = 0; i < 2; ++i) {
    const auto late = stream->read(Deadline::after(milliseconds(5)));
    ASSERT_FALSE(late);
    EXPECT_EQ(late.error().code, Code::timed_out);
  }
  stream.reset();
  EXPECT_TRUE(life.destroyed.wait());
}

TEST(CurlClient, AChildStartedMeanwhileKeepsNoConnectionOpen) {
  QuietLife life;
  TestServer server(quiet_router(life));
  const auto client = make_curl_client();
  auto stream =
      take(client->open_stream(request_to(server.address(), "GET", "/quiet"), soon(), {}));
  EXPECT_EQ(as_text(take(stream->read(soon()))), "first\n");
  const ChildProcess child = take(ChildProcess::start("cat", {}));  // until its input ends
  stream.reset();
  EXPECT_TRUE(life.destroyed.wait());
}

// A server that says `text` to whoever connects, after reading the request, and closes.
struct Impostor {
  explicit Impostor(std::string text)
      : listener(take(Listener::listen(Address::tcp("127.0.0.1", 0)))),
        thread("impostor", [this, said = std::move(text)] {
          const auto stream = take(listener.accept(soon(), {}));
          read_until(*stream, "\r\n\r\n");
          write_text(*stream, said);
        }) {}
  Listener listener;
  Thread thread;
};

TEST(CurlClient, NeverTakesABrokenReplyForAWholeOne) {
  struct Case {
    const char* said;
    Code code;
  };
  const Case cases[] = {
      {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort", Code::unavailable},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", Code::unavailable},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", Code::unavailable},
      {"HTTP/1.1 200 OK\r\nConte", Code::unavailable},
      {"", Code::unavailable},
      {"SSH-2.0-OpenSSH\r\n", Code::corrupt},
  };
  const auto client = make_curl_client();
  for (const Case& one : cases) {
    for (const bool streamed : {false, true}) {
      Impostor server(one.said);
      const auto request = request_to(server.listener.address(), "GET", "/");
      Result<> outcome;
      if (streamed) {
        const auto stream = client->open_stream(request, soon(), {});
        if (!stream) {
          outcome = std::unexpected(stream.error());
        } else {
          for (auto piece = (*stream)->read(soon());; piece = (*stream)->read(soon())) {
            if (!piece) outcome = std::unexpected(piece.error());
            if (!piece || piece->empty()) break;
          }
        }
      } else if (const auto reply = client->send(request, soon(), {}); !reply) {
        outcome = std::unexpected(reply.error());
      }
      ASSERT_FALSE(outcome) << one.said;
      EXPECT_EQ(outcome.error().code, one.code) << one.said << ": " << outcome.error().message;
      EXPECT_NE(outcome.error().message.find("127.0.0.1:"), std::string::npos);
    }
  }
}

TEST(CurlClient, SaysWhoIsNotThere) {
  const auto gone = take(Listener::listen(Address::tcp("127.0.0.1", 0))).address();
  const auto client = make_curl_client();
  EXPECT_EQ(client->send(request_to(gone, "GET", "/"), soon(), {}).error().code, Code::unavailable);
  const auto no_socket = Address::unix_socket("/nonexistent/s");
  EXPECT_EQ(client->send(request_to(no_socket, "GET", "/"), soon(), {}).error().code,
            Code::unavailable);
}

TEST(CurlClient, RefusesToSmuggle) {
  const auto client = make_curl_client();
  const auto nobody = Address::unix_socket("/nonexistent/s");
  for (const auto* target : {"", "x", "/a b", "/a\r\nX: y"}) {
    EXPECT_EQ(client->send(request_to(nobody, "GET", target), soon(), {}).error().code,
              Code::invalid_argument);
  }
  auto request = request_to(nobody, "GET", "/");
  request.headers.add("X", "a\r\nY: b");
  EXPECT_EQ(client->send(request, soon(), {}).error().code, Code::invalid_argument);
}

TEST(CurlClient, AnsweredBeforeItsBodyWasRead) {
  TestServer server(sample_router());
  const auto client = make_curl_client();
  const Bytes large(100'000'000);
  auto request = request_to(server.address(), "POST", "/echo");
  request.body = {large};
  const auto reply = take(client->send(request, soon(), {}));
  EXPECT_EQ(reply.status, 413);
}

TEST(CurlClient, ServerThatStopsInMidStreamIsAnError) {
  QuietLife life;
  TestServer server(quiet_router(life));
  const auto client = make_curl_client();
  const auto stream =
      take(client->open_stream(request_to(server.address(), "GET", "/quiet"), soon(), {}));
  EXPECT_EQ(as_text(take(stream->read(soon()))), "first\n");
  server.server->stop();
  EXPECT_EQ(stream->read(soon()).error().code, Code::unavailable);
}

TEST(CurlClient, TwoHundredStreamsAtOnce) {
  TestServer server(sample_router());
  const auto client = make_curl_client();
  std::vector<std::unique_ptr<ResponseStream>> streams;
  for (int i = 0; i < 200; ++i) {
    streams.push_back(take(client->open_stream(
        request_to(server.address(), "GET", "/count?pieces=50&bytes=100"), soon(), {})));
  }
  EXPECT_EQ(server.server->connection_count(), 200u);
  for (const auto& stream : streams) {
    std::size_t bytes = 0;
    for (auto piece = take(stream->read(soon())); !piece.empty();
         piece = take(stream->read(soon()))) {
      bytes += piece.size();
    }
    EXPECT_EQ(bytes, 5'000u);
  }
}

}  // namespace
}  // namespace hearth::net
