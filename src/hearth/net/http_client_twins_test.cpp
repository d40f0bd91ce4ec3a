#include "hearth/net/http_client_twins.h"

#include <gtest/gtest.h>

#include "hearth/net/test_server.h"

namespace hearth::net {
namespace {

// Counts what arrives.
Router counting_router(int& arrived) {
  Router router;
  router.add("PUT", "/x", [&](Request& request, const PathParams&) -> Result<Response> {
    ++arrived;
    return Response::bytes(std::move(request.body));
  });
  return router;
}

std::string read_all(ResponseStream& stream, Result<>& outcome) {
  std::string out;
  for (;;) {
    const auto piece = stream.read(soon());
    if (!piece) outcome = std::unexpected(piece.error());
    if (!piece || piece->empty()) return out;
    out.append(as_text(*piece));
  }
}

TEST(RouterClient, BehavesLikeTheNetwork) {
  int arrived = 0;
  const Router router = counting_router(arrived);
  const auto client = make_router_client(router);
  auto request = request_to({}, "PUT", "/x?a=b");
  request.body = {as_byte_span("ab"), as_byte_span("c")};
  EXPECT_EQ(take(client->send(request, soon(), {})).body_text(), "abc");
  const auto stream = take(client->open_stream(request, soon(), {}));
  Result<> outcome;
  EXPECT_EQ(read_all(*stream, outcome), "abc");
  EXPECT_TRUE(outcome);
  request.reply_bytes_max = 2;
  EXPECT_EQ(client->send(request, soon(), {}).error().code, Code::resource_exhausted);
  EXPECT_EQ(take(client->send(request_to({}, "GET", "/x"), soon(), {})).status, 405);
  StopSource stopped;
  stopped.request_stop();
  EXPECT_EQ(client->send(request, soon(), stopped.token()).error().code, Code::cancelled);
}

TEST(FaultyHttpClient, EachFaultDoesWhatItSays) {
  struct Case {
    FaultPolicy policy;
    int arrived;
    bool answered;
    bool stream_opens;
  };
  const Case cases[] = {
      {{}, 1, true, true},
      {{.lose_request = 1}, 0, false, false},
      {{.lose_reply = 1}, 1, false, false},
      {{.cut_body = 1}, 1, false, true},
      {{.duplicate = 1}, 2, true, true},
      {{.fail_call = 1}, 0, false, false},
      {{.fail_call = 3}, 1, true, true},
      {{.delay_max = std::chrono::milliseconds(2)}, 1, true, true},
  };
  for (const Case& one : cases) {
    int arrived = 0;
    const Router router = counting_router(arrived);
    const auto inner = make_router_client(router);
    const std::string large(10'000, 'x');
    auto request = request_to({}, "PUT", "/x");
    request.body = {as_byte_span(large)};
    FaultyHttpClient sender(*inner, one.policy);
    const auto reply = sender.send(request, soon(), {});
    EXPECT_EQ(reply.has_value(), one.answered);
    if (!reply) {
      EXPECT_EQ(reply.error().code, Code::unavailable);
    }
    EXPECT_EQ(arrived, one.arrived);
    FaultyHttpClient opener(*inner, one.policy);
    const auto stream = opener.open_stream(request, soon(), {});
    ASSERT_EQ(stream.has_value(), one.stream_opens);
    EXPECT_EQ(arrived, 2 * one.arrived);
    EXPECT_EQ(opener.call_count(), 1u);
    if (!stream) continue;
    Result<> outcome;
    const std::string body = read_all(**stream, outcome);
    EXPECT_EQ(outcome.has_value(), one.answered);
    EXPECT_EQ(body.size() == large.size(), one.answered);
  }
}

TEST(FaultyHttpClient, SameSeedSameFaults) {
  int arrived = 0;
  const Router router = counting_router(arrived);
  const auto inner = make_router_client(router);
  const auto pattern = [&](std::uint64_t seed) {
    FaultyHttpClient client(*inner, {.seed = seed, .lose_request = 0.3, .lose_reply = 0.2});
    std::string out;
    for (int i = 0; i < 200; ++i) {
      out += client.send(request_to({}, "PUT", "/x"), soon(), {}) ? '.' : 'x';
    }
    return out;
  };
  EXPECT_EQ(pattern(7), pattern(7));
  EXPECT_NE(pattern(7), pattern(8));
  EXPECT_NE(pattern(7).find("x"), std::string::npos);
  EXPECT_NE(pattern(7).find("."), std::string::npos);
}

TEST(FaultyHttpClient, DelayEndsByTokenAndDeadline) {
  int arrived = 0;
  const Router router = counting_router(arrived);
  const auto inner = make_router_client(router);
  FaultyHttpClient client(*inner, {.delay_max = std::chrono::hours(1000)});
  const auto request = request_to({}, "PUT", "/x");
  const auto brief = Deadline::after(std::chrono::milliseconds(5));
  EXPECT_EQ(client.send(request, brief, {}).error().code, Code::timed_out);
  StopSource stopped;
  stopped.request_stop();
  EXPECT_EQ(client.send(request, soon(), stopped.token()).error().code, Code::cancelled);
  EXPECT_EQ(arrived, 0);
}

}  // namespace
}  // namespace hearth::net
