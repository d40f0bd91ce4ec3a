// Answers of other services to labelled work: what is learned of them. Where work goes is route_cases_test's.
#include "hearth/gateway/test_labels.h"
#include "tests/support/scripted_service.h"

namespace hearth::gateway {
namespace {

constexpr std::string_view answer_text = "an answer that is long enough to be known again";

Json chunk(Json delta, Json finish = nullptr) {
  return Json::object({{"choices", Json::array({Json::object({{"index", 0}, {"delta", std::move(delta)}, {"finish_reason", std::move(finish)}})})}});
}

// In two pieces, with a call at its end.
Json answer() {
  const std::string text(answer_text);
  const Json call = Json::object({{"index", 0}, {"id", "theirs"}, {"type", "function"},
                                  {"function", Json::object({{"name", "look"}, {"arguments", "{}"}})}});
  return Json::object({{"pieces", Json::array({chunk(Json::object({{"content", text.substr(0, 9)}})), chunk(Json::object({{"content", text.substr(9)}})),
                                               chunk(Json::object({{"tool_calls", Json::array({call})}}), "tool_calls"), "data: [DONE]\n\n"})}});
}
// It breaks off after the text.
Json broken_answer() {
  return Json::object({{"pieces", Json::array({chunk(Json::object({{"content", answer_text}}))})}, {"cut", true}});
}

struct OpenGate final : seal::RemoteGate {
  Result<> check(const seal::Clearance&) const override { return {}; }
};

class UpstreamAnswers : public testing::Test {
 protected:
  void open(Json replies, GatewayOptions options = patient_options(), test::ScriptedModelOptions model = {}) {
    service_ = std::make_unique<test::ScriptedService>(std::move(replies));
    upstream::EndpointSpec spec{.name = "there", .url = service_->url(), .model = "their-model", .reach = seal::Reach::cluster, .tries_max = 1};
    fleet_ = *upstream::Fleet::create({spec}, [](const upstream::EndpointSpec&) -> Result<std::string> { return std::string(); }, {}, *http_);
    route::RouteTable table = route::default_routes({{"there", seal::Reach::cluster}});
    for (route::ClassRule& rule : table.classes) {
      rule.policy = policy_;
      (policy_ == route::Policy::escalate ? rule.cloud : rule.local) = "there";
    }
    router_ = *route::Router::open({.table = std::move(table), .log_file = directory_.path() / "routes.db"});
    routing_.emplace(Routing{*router_, *fleet_, gate_, "key"});
    labeller_ = labeller_of_keys();
    options = labelled_options(*labeller_, std::move(options));
    options.routing = &*routing_;
    gateway_.emplace(std::move(options), "kimi-k2.5", std::move(model));
  }
  // Of the only request; what waited to be written is.
  std::string outcome() {
    gateway_.reset();
    router_.reset();
    const auto log = *store::RouteLog::open(directory_.path() / "routes.db");
    const auto record = *log.last();
    EXPECT_TRUE(record.has_value());
    return record ? record->outcome : "";
  }
  net::ClientReply ask(std::string_view key, Json::Array messages, bool stream = false) {
    const Json tool = Json::object({{"name", "look"}, {"description", "looks"}, {"input_schema", Json::object({{"type", "object"}})}});
    return gateway_->post("/v1/messages", Json::object({{"model", "m"}, {"max_tokens", 200}, {"stream", stream}, {"tools", Json::array({tool})},
                                                        {"messages", Json(std::move(messages))}}), {{"x-api-key", std::string(key)}});
  }
  static Json said(std::string_view role, Json content) { return Json::object({{"role", role}, {"content", std::move(content)}}); }
  // Under the other key, by nothing but the answer.
  std::string label_of_quote() {
    return std::string(ask(open_key, {said("user", "hi"), said("assistant", answer_text), said("user", "go on")}).headers.get("x-hearth-label"));
  }

  route::Policy policy_ = route::Policy::local;
  TemporaryDirectory directory_ = *TemporaryDirectory::create("upstream-answers");
  std::unique_ptr<net::HttpClient> http_ = net::make_curl_client();
  std::unique_ptr<test::ScriptedService> service_;
  std::unique_ptr<upstream::Fleet> fleet_;
  std::unique_ptr<route::Router> router_;
  OpenGate gate_;
  std::optional<Routing> routing_;
  std::unique_ptr<seal::Labeller> labeller_;
  std::optional<TestGateway> gateway_;
};

TEST_F(UpstreamAnswers, AreKnownWhenTheyComeBackUnderAnotherKey) {
  for (const bool stream : {false, true}) {
    open(Json::array({answer(), answer()}));
    EXPECT_EQ(label_of_quote(), "open") << "not known before";
    const auto first = ask(sealed_key, {said("user", "hello")}, stream);
    EXPECT_EQ(first.headers.get("x-hearth-label"), "sealed");
    EXPECT_EQ(service_->seen().size(), 2u) << first.body_text();
    EXPECT_EQ(label_of_quote(), "sealed");
  }
}

TEST_F(UpstreamAnswers, AreKnownByTheIdsOfTheirCalls) {
  open(Json::array({answer()}));
  const Json first = json_of(ask(sealed_key, {said("user", "hello")}));
  const Json call = at(first, {"content", "1"});
  ASSERT_TRUE(call.is_object()) << dump_json(first);
  const Json result = Json::object({{"type", "tool_result"}, {"tool_use_id", at(call, {"id"})}, {"content", "x"}});
  const auto reply = ask(open_key, {said("user", "hi"), said("assistant", Json::array({call})), said("user", Json::array({result}))});
  EXPECT_EQ(reply.headers.get("x-hearth-label"), "sealed");
}

TEST_F(UpstreamAnswers, AreKnownAsFarAsTheyGotWhenTheyBreakOff) {
  open(Json::array({broken_answer()}));
  (void)ask(sealed_key, {said("user", "hello")}, /*stream=*/true);
  EXPECT_EQ(label_of_quote(), "sealed");
}

// What goes to a service is put in order first; a client sends its own order back.
TEST_F(UpstreamAnswers, AreKnownWithTheConversationAsItsClientWroteIt) {
  Json brief = Json::object({{"pieces", Json::array({chunk(Json::object({{"content", "Yes."}}), "stop"), "data: [DONE]\n\n"})}});
  open(Json::array({brief, brief, brief}));
  const auto use = [](std::string_view id) {
    return Json::object({{"type", "tool_use"}, {"id", id}, {"name", "look"}, {"input", Json::object()}});
  };
  const auto result = [](std::string_view id, std::string_view text) {
    return Json::object({{"type", "tool_result"}, {"tool_use_id", id}, {"content", text}});
  };
  const Json::Array conversation = {said("user", "what lies where, please"), said("assistant", Json::array({use("a"), use("b")})),
                                    said("user", Json::array({result("b", "the second result"), result("a", "the first result")}))};
  (void)ask(sealed_key, conversation);
  // Another beginning for the router and the labeller: only the text is the same.
  Json::Array again = conversation;
  again.insert(again.begin(), said("system", "You are kind."));
  again.push_back(said("assistant", "Yes."));
  again.push_back(said("user", "go on"));
  EXPECT_EQ(ask(open_key, again).headers.get("x-hearth-label"), "sealed");
}

// A service may compute on for as long as its head is waited for.
TEST_F(UpstreamAnswers, AreGivenUpBeforeTheyBeginWhenEveryClientHasLeft) {
  GatewayOptions options = patient_options();
  options.jobs.grace = std::chrono::milliseconds(20);
  options.start_wait = std::chrono::milliseconds(20);
  open(Json::array({Json::object({{"mute", true}})}), std::move(options));
  gateway_->open("/v1/messages", Json::object({{"model", "m"}, {"max_tokens", 9}, {"stream", true},
                                               {"messages", Json::array({said("user", "hello")})}}),
                 {{"x-api-key", std::string(open_key)}}).leave();
  EXPECT_TRUE(service_->wait_for_leaving());
  EXPECT_EQ(outcome(), "overloaded");
}

TEST_F(UpstreamAnswers, SayWhoGaveThemWhereTheModelHereCouldNotBegin) {
  policy_ = route::Policy::escalate;
  test::ScriptedModelOptions small;
  small.facts.limits.context_tokens = 64;
  open(Json::array({answer()}), patient_options(), std::move(small));
  const auto reply = ask(open_key, {said("user", std::string(2'000, 'x'))});
  EXPECT_TRUE(reply.headers.get("x-hearth-route").ends_with("escalated=there")) << reply.headers.get("x-hearth-route");
  EXPECT_EQ(at(json_of(reply), {"model"}), Json("their-model")) << reply.body_text();
  EXPECT_EQ(outcome(), "calls");
}

TEST_F(UpstreamAnswers, LeaveARecordThatIsOverEvenWhereAPictureIsRefused) {
  policy_ = route::Policy::local;
  open(Json::array());
  const Json image = *parse_json(R"({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGVsbG8="}})");
  EXPECT_EQ(ask(open_key, {said("user", Json::array({image}))}).status, 400);
  EXPECT_EQ(outcome(), "invalid_request");
}

}  // namespace
}  // namespace hearth::gateway
