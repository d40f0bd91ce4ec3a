#include <gtest/gtest.h>

#include "hearth/upstream/endpoint.h"
#include "hearth/upstream/raw_member.h"
#include "hearth/upstream/retry.h"
#include "tests/support/scripted_service.h"

namespace hearth::upstream {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

Deadline soon() { return Deadline::after(seconds(20)); }  // never reached

Json one_piece() {
  return Json::object({{"choices", Json::array({Json::object({{"index", 0}, {"delta", Json::object({{"content", "x"}})}})})}});
}

std::unique_ptr<Endpoint> endpoint_of(const test::ScriptedService& service, net::HttpClient& http, Duration silence = seconds(20)) {
  return *make_endpoint({.name = "there", .url = service.url(), .reach = seal::Reach::house, .silence_max = silence}, "", http);
}

chat::ChatRequest hello() {
  chat::ChatRequest out{.model = "m"};
  out.conversation.messages = {{.role = chat::Role::user, .text = "hello"}};
  return out;
}

// Another hearth keeps KV and has routes: work that is not open has to be so there as well.
TEST(Exchange, ALabelGoesAlongToAnotherHearth) {
  const auto http = net::make_curl_client();
  for (const Kind kind : {Kind::hearth, Kind::openai}) {
    for (const seal::Label label : seal::all_labels) {
      const test::ScriptedService service(Json::array({Json::object({{"pieces", Json::array({one_piece(), "data: [DONE]\n\n"})}})}));
      const auto endpoint = *make_endpoint({.name = "there", .kind = kind, .url = service.url(), .reach = seal::Reach::cluster}, "", *http);
      seal::Clearance clearance;
      clearance.decision.add({.source = seal::Source::key, .label = label, .rule = "a test"});
      const auto work = seal::sort(seal::Labelled<chat::ChatRequest>{hello(), clearance});
      const auto stream = std::visit([&](const auto& one) { return endpoint->ask(seal::clear_for_cluster(one), soon(), {}); }, work);
      ASSERT_TRUE(stream) << stream.error().message;
      const bool told = kind == Kind::hearth && label != seal::Label::open;
      EXPECT_EQ(service.seen().at(0).headers.get("x-hearth-label"), told ? seal::label_name(label) : std::string_view());
    }
  }
}

TEST(Exchange, DroppingTheStreamEndsTheWorkThere) {
  const test::ScriptedService service(Json::array({Json::object({{"pieces", Json::array({one_piece()})}, {"hold", true}})}));
  const auto http = net::make_curl_client();
  const auto endpoint = endpoint_of(service, *http);
  auto stream = endpoint->ask(hello(), soon(), {});
  ASSERT_TRUE(stream) << stream.error().message;
  const auto first = (*stream)->next(soon());
  ASSERT_TRUE(first && *first);
  stream->reset();
  EXPECT_TRUE(service.wait_for_leaving());
}

TEST(Exchange, ADeadlineIsNoFailure) {
  const test::ScriptedService service(Json::array({Json::object({{"pieces", Json::array({one_piece()})}, {"hold", true}})}));
  const auto http = net::make_curl_client();
  const auto endpoint = endpoint_of(service, *http);
  auto stream = *endpoint->ask(hello(), soon(), {});
  ASSERT_TRUE(*stream->next(soon()));
  const auto nothing = stream->next(Deadline::after(milliseconds(20)));
  ASSERT_TRUE(nothing);
  EXPECT_FALSE(*nothing);
  EXPECT_EQ(stream->times().tries, 1);
  EXPECT_TRUE(stream->times().first_piece);
}

TEST(Exchange, SilenceAfterTextIsTimedOut) {
  const test::ScriptedService service(Json::array({Json::object({{"pieces", Json::array({one_piece()})}, {"hold", true}})}));
  const auto http = net::make_curl_client();
  const auto endpoint = endpoint_of(service, *http, milliseconds(100));
  auto stream = *endpoint->ask(hello(), soon(), {});
  ASSERT_TRUE(*stream->next(soon()));
  const auto late = stream->next(soon());
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().kind, chat::ApiError::Kind::timed_out);
}

TEST(Exchange, StopEndsAWaitingStream) {
  const test::ScriptedService service(Json::array({Json::object({{"pieces", Json::array({one_piece()})}, {"hold", true}})}));
  const auto http = net::make_curl_client();
  const auto endpoint = endpoint_of(service, *http);
  StopSource stop;
  auto stream = *endpoint->ask(hello(), soon(), stop.token());
  ASSERT_TRUE(*stream->next(soon()));
  stop.request_stop();
  EXPECT_FALSE(stream->next(soon()));
}

TEST(Exchange, NobodyAtTheAddressIsOverloadedAndSaysWhere) {
  std::string url;
  {
    const auto listener = *net::Listener::listen(net::Address::tcp("127.0.0.1", 0));
    url = "http://" + listener.address().text();
  }
  const auto http = net::make_curl_client();
  const auto endpoint = *make_endpoint({.name = "there", .url = url, .reach = seal::Reach::house, .tries_max = 1}, "", *http);
  const auto stream = endpoint->ask(hello(), soon(), {});
  ASSERT_FALSE(stream);
  EXPECT_EQ(stream.error().kind, chat::ApiError::Kind::overloaded);
  EXPECT_NE(stream.error().message.find("there cannot be reached"), std::string::npos);
}

TEST(Exchange, ARemoteServiceIsNoEndpoint) {
  const auto http = net::make_curl_client();
  EXPECT_FALSE(make_endpoint({.name = "cloud", .url = "https://api.example", .reach = seal::Reach::remote}, "k", *http));
}

TEST(Spec, WhatIsWrongIsNamed) {
  const auto complaint = [](EndpointSpec spec) {
    const auto checked = check_spec(spec);
    return checked ? std::string() : checked.error().message;
  };
  EXPECT_EQ(complaint({.name = "a", .kind = Kind::openai, .url = "https://api.example/v1"}), "");
  EXPECT_NE(complaint({.name = "a b", .url = "https://x"}).find("name"), std::string::npos);
  EXPECT_NE(complaint({.name = "a", .url = "x"}).find("url"), std::string::npos);
  EXPECT_NE(complaint({.name = "a", .url = "http://api.example"}).find("use https"), std::string::npos);
  EXPECT_NE(complaint({.name = "a", .kind = Kind::exo, .url = "http://x:1", .reach = seal::Reach::house}).find("model"), std::string::npos);
  EXPECT_NE(complaint({.name = "a", .kind = Kind::mlx, .url = "https://x"}).find("reach"), std::string::npos);
  EXPECT_NE(complaint({.name = "a", .kind = Kind::vllm_pair, .url = "http://x:1", .reach = seal::Reach::house}).find("prefill_url"), std::string::npos);
}

TEST(Retry, WaitsLongerEachTimeAndGivesUp) {
  RetryPlan plan(4, 1);
  const Failure failure{.error = {}, .may_repeat = true};
  Duration before{};
  for (int i = 0; i < 3; ++i) {
    const auto wait = plan.after(failure, false);
    ASSERT_TRUE(wait);
    EXPECT_GT(*wait, before);
    EXPECT_LE(*wait, retry_wait_max);
    before = *wait;
  }
  EXPECT_FALSE(plan.after(failure, false));
}

TEST(Retry, NothingIsRepeatedOnceSomethingWasGivenOut) {
  EXPECT_FALSE(RetryPlan(9, 1).after({.error = {}, .may_repeat = true}, true));
  EXPECT_FALSE(RetryPlan(9, 1).after({.error = {}, .may_repeat = false}, false));
  EXPECT_FALSE(RetryPlan(9, 1).after({.error = {}, .may_repeat = true, .wait = seconds(31)}, false));
  EXPECT_EQ(RetryPlan(9, 1).after({.error = {}, .may_repeat = true, .wait = milliseconds(7)}, false), milliseconds(7));
}

TEST(RawMember, KeepsTheBytes) {
  const std::string_view text = R"({ "a" : [1, {"b":"}]"}], "key" : {"n":18446744073709551617, "s":"\"}"} , "z":1})";
  EXPECT_EQ(raw_member(text, "key"), R"({"n":18446744073709551617, "s":"\"}"})");
  EXPECT_EQ(raw_member(text, "z"), "1");
  EXPECT_EQ(raw_member(text, "b"), std::nullopt);
  EXPECT_EQ(raw_member(R"({"k":null})", "k"), std::nullopt);
  EXPECT_EQ(with_raw_member("{}", "k", "[1.0]"), R"({"k":[1.0]})");
  EXPECT_EQ(with_raw_member(R"({"a":1})", "k", "[1.0]"), R"({"a":1,"k":[1.0]})");
}

TEST(Prices, AreAppliedToEachPart) {
  const Prices prices{.prompt = 3, .cached = 0.3, .cache_write = 3.75, .answer = 15};
  const chat::Usage usage{.prompt_tokens = 1'000'000, .cached_tokens = 500'000, .answer_tokens = 100'000};
  EXPECT_NEAR(cost_usd(prices, usage, 200'000), 0.3 * 3 + 0.5 * 0.3 + 0.2 * 3.75 + 0.1 * 15, 1e-9);
}

}  // namespace
}  // namespace hearth::upstream
