// The table of routing cases, each twice: decided alone, and sent through a whole gateway whose services
// are real ones on loopback, those outside behind the egress process's own service. What is decided,
// what the answer's header says, what is recorded and which service was asked must be the same.
#include "hearth/gateway/route_cases.h"

#include <gtest/gtest.h>

#include "hearth/base/file.h"
#include "hearth/gateway/test_gateway.h"
#include "tests/support/scripted_service.h"

namespace hearth::gateway {
namespace {

const std::filesystem::path file = std::filesystem::path(HEARTH_SOURCE_DIR) / "tests/golden/route/routes.json";

RouteCases shipped_cases() {
  const auto cases = read_route_cases(*parse_json(*read_text_file(file, 1 << 20)), "routes.json");
  EXPECT_TRUE(cases) << cases.error().message;
  return *cases;
}

// Any number of answers in the service's own dialect.
Json answers_of(upstream::Kind kind) {
  const auto event = [](std::string_view text) { return Json::object({{"pieces", Json::array({text})}}); };
  Json out = Json::array();
  for (int i = 0; i < 8; ++i) {
    out.push(kind == upstream::Kind::anthropic
                 ? event("data: {\"type\":\"message_start\",\"message\":{\"model\":\"claude-test\"}}\n\n"
                         "data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"}}\n\ndata: {\"type\":\"message_stop\"}\n\n")
                 : event("data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"x\"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n"));
  }
  return out;
}

struct OpenGate final : seal::RemoteGate {
  Result<> check(const seal::Clearance&) const override { return {}; }
};

// All that a case needs, made anew for each: conversations and labels of one are nothing to another.
struct House {
  explicit House(const RouteCases& cases) : cases_(cases) {
    std::vector<upstream::EndpointSpec> specs = cases.upstreams;
    for (upstream::EndpointSpec& spec : specs) {
      services[spec.name] = std::make_unique<test::ScriptedService>(answers_of(spec.kind));
      spec.url = services[spec.name]->url();
      // Tests have no cloud: the outside is asked as a server of the house is, the router knows better.
      spec.reach = spec.reach == seal::Reach::remote ? seal::Reach::house : spec.reach;
    }
    fleet = *upstream::Fleet::create(specs, [](const upstream::EndpointSpec&) -> Result<std::string> { return std::string(); }, {}, *http);
    router = *route::Router::open({.table = cases.table, .log_file = directory.path() / "routes.db",
                                   .verdicts = [this](const std::string& verdict_class, const std::string& arm) {
                                     return ask_list(step->verdicts, step->now)(verdict_class, arm);
                                   }});
    GatewayOptions options = patient_options();
    options.access.key_names = cases.key_names;
    for (const auto& [key, name] : cases.key_names) options.access.api_keys.push_back(key);
    access.emplace(options.access);
    options.labeller = labels.get();
    options.routing = &routing.emplace(Routing{*router, *fleet, gate, "key"});
    home.emplace(std::move(options));
  }

  std::map<std::string, std::size_t> asked() const {
    std::map<std::string, std::size_t> out{{"local", home->model->requests().size()}};
    for (const auto& [name, service] : services) out[name] = service->seen().size();
    return out;
  }

  const RouteCases& cases_;
  const RouteStep* step = nullptr;
  TemporaryDirectory directory = *TemporaryDirectory::create("routes");
  std::unique_ptr<net::HttpClient> http = net::make_curl_client();
  std::map<std::string, std::unique_ptr<test::ScriptedService>> services;
  std::unique_ptr<upstream::Fleet> fleet;
  std::unique_ptr<route::Router> router;
  std::unique_ptr<seal::Labeller> labels = *seal::Labeller::open({}, {});
  OpenGate gate;
  std::optional<Access> access;
  std::optional<Routing> routing;
  std::optional<TestGateway> home;
};

TEST(RouteCases, AHundredAreShippedAndAllGoWhereTheyShould) {
  const RouteCases cases = shipped_cases();
  EXPECT_GE(cases.cases.size(), 100u);
  for (const RouteCaseResult& one : run_route_cases(cases)) EXPECT_EQ(one.complaint, "") << one.name;
}

TEST(RouteCases, ExplainingKnowsWhatTheSealSays) {
  const RouteCases cases = shipped_cases();
  House house(cases);
  RouteStep step;
  step.headers.set("x-api-key", "k-plain");
  step.body = *parse_json(R"({"model": "any", "max_tokens": 8, "messages": [{"role": "user", "content": "read /home/me/diary/monday.md"}]})");
  house.step = &step;
  net::Request request = *read_route_request(Json::object({{"path", step.path}, {"body", step.body}}));
  request.headers = step.headers;
  const auto explain = [&](seal::LabelGiver& labels) { return explain_route(*house.router, labels, *house.access, request, "key"); };
  EXPECT_EQ(explain(*house.labels)->decision.target, "sonnet");

  const auto strict = *seal::Labeller::open({.folders = {{"/home/me/diary", seal::Label::sealed}}}, {});
  const auto explained = explain(*strict);
  EXPECT_EQ(explained->label.label, seal::Label::sealed);
  EXPECT_EQ(explained->decision.target, "local");
}

TEST(RouteCases, ExplainingAgreesWithWhatIsDoneInEachOfThem) {
  const RouteCases cases = shipped_cases();
  for (const RouteCase& one : cases.cases) {
    SCOPED_TRACE(one.name);
    House house(cases);
    for (const RouteStep& step : one.steps) {
      house.step = &step;
      const Json as_read = Json::object({{"path", step.path}, {"body", step.body}});
      net::Request request = *read_route_request(as_read);
      request.headers = step.headers;
      const auto explained = explain_route(*house.router, *house.labels, *house.access, request, "key");
      const auto before = house.asked();
      house.home->model->set_fallback({.text = "Hello."});
      const auto reply = house.home->post(step.path, step.body, step.headers);
      auto after = house.asked();

      if (!explained || explained->decision.target.empty()) {
        EXPECT_EQ(reply.status, 403) << reply.body_text();
        EXPECT_EQ(before, after);
        continue;
      }
      EXPECT_EQ(reply.status, 200) << reply.body_text();
      EXPECT_EQ(reply.headers.get("X-Hearth-Route"), route::route_header(explained->decision));
      for (const auto& [name, count] : before) {
        EXPECT_EQ(after[name], count + (name == explained->decision.target ? 1u : 0u)) << name;
      }
      EXPECT_EQ(difference(step.expect, route::decision_json(explained->decision, explained->label.label)), "");
    }
    const auto log_file = house.directory.path() / "routes.db";
    house.home.reset();
    house.router.reset();  // writes what waits
    const auto last = *store::RouteLog::open_read_only(log_file)->last();
    if (!last) continue;
    const Json& expect = one.steps.back().expect;
    const Json* target = expect.find("target");
    if (target == nullptr) continue;
    EXPECT_EQ(Json(last->target), *target);
    EXPECT_EQ(Json(last->answered_by), *target);
    EXPECT_FALSE(last->outcome.empty());
  }
}

Json looping_body(int times, bool stream) {
  Json messages = Json::array({Json::object({{"role", "user"}, {"content", "go"}})});
  for (int i = 0; i < times; ++i) {
    const std::string id = "toolu_" + std::to_string(i);
    const Json use = Json::object({{"type", "tool_use"}, {"id", id}, {"name", "look"}, {"input", Json::object()}});
    const Json result = Json::object({{"type", "tool_result"}, {"tool_use_id", id}, {"content", "nothing"}});
    messages.push(Json::object({{"role", "assistant"}, {"content", Json::array({use})}}));
    messages.push(Json::object({{"role", "user"}, {"content", Json::array({result})}}));
  }
  return Json::object({{"model", "any"}, {"max_tokens", 100}, {"stream", stream}, {"messages", std::move(messages)},
                       {"tools", *parse_json(R"([{"name": "look", "input_schema": {"type": "object"}}])")}});
}

TEST(Routes, CallsThatGoRoundInCirclesAreToldOfInTheAnswer) {
  TestGateway home;
  home.model->set_fallback({.text = "Again."});
  EXPECT_EQ(json_of(home.post("/v1/messages", looping_body(2, false))).find("content")->as_array()[0].find("text")->as_string(), "Again.");
  const std::string text = json_of(home.post("/v1/messages", looping_body(3, false))).find("content")->as_array()[0].find("text")->as_string();
  EXPECT_NE(text.find("[Hearth: the same calls (look) were made 3 times"), std::string::npos) << text;
  EXPECT_TRUE(text.ends_with("Again.")) << text;
  const auto answer = home.open("/v1/messages", looping_body(6, true)).answer();
  EXPECT_EQ(answer.complaints, std::vector<std::string>{});
}

// The router's memory is gone, the conversation is not.
TEST(Routes, AConversationStaysWhereItWasAfterARestart) {
  const RouteCases cases = shipped_cases();
  const auto directory = *TemporaryDirectory::create("routes");
  const route::RouterOptions options{.table = cases.table, .log_file = directory.path() / "routes.db",
                                     .verdicts = ask_list({}, {})};
  route::RouteAsk ask{.question = {.signals = {.key = "novel"}}, .conversation = "c", .request = "r-1"};
  ask.question.past = route::Past{"writing", "spark"};
  EXPECT_EQ((*route::Router::open(options))->decide(ask).first.target, "spark");
  ask.question.past.reset();
  ask.request = "r-2";
  const route::Decision after = (*route::Router::open(options))->decide(ask).first;
  EXPECT_EQ(after.target, "spark");
  EXPECT_TRUE(after.kept);
}

}  // namespace
}  // namespace hearth::gateway
