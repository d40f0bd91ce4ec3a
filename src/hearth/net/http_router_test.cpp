#include "hearth/net/http_router.h"

#include <gtest/gtest.h>

#include "hearth/net/http_error.h"

namespace hearth::net {
namespace {

Handler answering(std::string name) {
  return
      [name](Request&, const PathParams&) -> Result<Response> { return Response::text(200, name); };
}

Router sample_router() {
  Router router;
  router.add("GET", "/{any*}", answering("assets"));
  router.add("GET", "/models/{id}", answering("model"));
  router.add("PUT", "/models/{id}", answering("put model"));
  router.add("GET", "/models/special", answering("special"));
  router.add("POST", "/only/post", answering("post"));
  return router;
}

TEST(Router, MostSpecificRouteWins) {
  struct Case {
    const char* method;
    const char* path;
    const char* answer;
    const char* parameter;  // of the first name in the pattern
  };
  const Case cases[] = {
      {"GET", "/models/special", "special", nullptr},
      {"GET", "/models/a%2Fb%20c", "model", "a/b c"},
      {"HEAD", "/models/k", "model", "k"},
      {"PUT", "/models/k", "put model", "k"},
      {"GET", "/models/a/b", "assets", "models/a/b"},
      {"GET", "/", "assets", ""},
      {"GET", "/models/", "assets", "models/"},
  };
  const Router router = sample_router();
  for (const Case& one : cases) {
    const RouteMatch match = router.match(one.method, one.path);
    ASSERT_NE(match.route, nullptr) << one.path;
    Request request;
    const auto response = call_route(match, request);
    EXPECT_EQ(std::get<std::string>(response->body), one.answer) << one.path;
    if (one.parameter == nullptr) continue;
    const bool rest = std::string_view(one.answer) == "assets";
    EXPECT_EQ(match.params[rest ? "any" : "id"], one.parameter);
  }
}

TEST(Router, TellsWhatIsAllowed) {
  const Router router = sample_router();
  EXPECT_EQ(router.match("DELETE", "/models/k").allow, "GET, HEAD, PUT");
  Request request;
  request.method = "BREW";
  request.path = "/models/k";
  const Response refused = router.dispatch(request);
  EXPECT_EQ(refused.status, 405);
  EXPECT_EQ(refused.headers.get("allow"), "GET, HEAD, PUT");
  EXPECT_EQ(Router().match("GET", "/x").allow, "");
  EXPECT_EQ(Router().dispatch(request).status, 404);
}

TEST(Router, OptionsForAWholeTreeDoNotHideThatNothingIsThere) {
  Router router;
  router.add("POST", "/there", answering("post"));
  router.add("OPTIONS", "/{rest*}", answering("options"));
  EXPECT_EQ(router.match("GET", "/there").allow, "OPTIONS, POST");
  EXPECT_EQ(router.match("GET", "/not/there").allow, "");
  EXPECT_NE(router.match("OPTIONS", "/not/there").route, nullptr);
}

TEST(Router, ErrorsAndStrangersExceptionsBecomeResponses) {
  Router router;
  router.add("GET", "/error", [](Request&, const PathParams&) -> Result<Response> {
    return fail(Code::corrupt, "damaged");
  });
  router.add("GET", "/throws", [](Request&, const PathParams&) -> Result<Response> {
    throw std::runtime_error("library");
  });
  Request request;
  request.method = "GET";
  request.path = "/error";
  const Response error = router.dispatch(request);
  EXPECT_EQ(error.status, 422);
  EXPECT_EQ(std::get<std::string>(error.body),
            R"({"error":{"code":"corrupt","message":"damaged"}})");
  request.path = "/throws";
  EXPECT_EQ(router.dispatch(request).status, 500);
}

TEST(HttpError, EveryCodeSurvivesTheWay) {
  for (int i = 0; i <= static_cast<int>(Code::internal); ++i) {
    const Error sent{static_cast<Code>(i), "why"};
    const Response response = error_response(sent);
    EXPECT_GE(response.status, 400);
    const auto& body = std::get<std::string>(response.body);
    EXPECT_EQ(error_of_reply(response.status, as_byte_span(body), "peer").code, sent.code);
  }
  EXPECT_EQ(error_of_reply(429, as_byte_span("<html>"), "peer").code, Code::resource_exhausted);
  EXPECT_EQ(error_of_reply(400, as_byte_span("[]"), "peer").code, Code::invalid_argument);
}

TEST(HttpMessage, HeadersIgnoreCase) {
  Headers headers{{"Content-Type", "a"}, {"X", "1"}, {"x", "2"}};
  EXPECT_EQ(headers.get("content-TYPE"), "a");
  EXPECT_EQ(headers.get("x"), "1");
  headers.set("X", "3");
  EXPECT_EQ(headers.size(), 2u);
  EXPECT_EQ(headers.get("y", "none"), "none");
}

TEST(HttpMessage, ReadsTargets) {
  Request request;
  ASSERT_TRUE(set_target(request, "/a%20b?x=1+2&y&z=%26#part"));
  EXPECT_EQ(request.path, "/a%20b");
  EXPECT_EQ(*request.query_value("x"), "1 2");
  EXPECT_EQ(*request.query_value("y"), "");
  EXPECT_EQ(*request.query_value("z"), "&");
  EXPECT_EQ(request.query_value("w"), nullptr);
  ASSERT_TRUE(set_target(request, "http://host:1?q=2"));
  for (const auto* bad : {"", "*", "a", "/%", "/%2", "/%zz", "/%00", "/?a=%f"}) {
    EXPECT_FALSE(set_target(request, bad)) << bad;
  }
  EXPECT_EQ(*percent_decode(percent_encode("a/ü+b%")), "a/ü+b%");
}

}  // namespace
}  // namespace hearth::net
