#pragma once
// A table of routing cases: a configuration, verdicts, and requests with where each must go. `hearth route
// test` runs one; the tests also send every request through a whole gateway and compare. Pure but for
// the router's memory. docs/routes.md has the form of the file.

#include <string>
#include <string_view>
#include <vector>

#include "hearth/gateway/dialect.h"
#include "hearth/gateway/routing.h"
#include "hearth/store/verdicts.h"

namespace hearth::gateway {

struct RouteStep {
  std::string path = "/v1/messages";
  net::Headers headers;
  Json body;
  std::vector<store::ClassVerdict> verdicts;
  store::VerdictBasis now;
  Json expect;  // members of route::decision_json
};
struct RouteCase {
  std::string name;
  std::vector<RouteStep> steps;  // of one conversation or several, in order
};
struct RouteCases {
  std::vector<upstream::EndpointSpec> upstreams;
  route::RouteTable table;
  std::map<std::string, std::string> key_names;  // by key
  std::vector<RouteCase> cases;
};
Result<RouteCases> read_route_cases(const Json& file, std::string_view name);

struct RouteCaseResult {
  std::string name;
  std::string complaint;  // empty: passed
};
std::vector<RouteCaseResult> run_route_cases(const RouteCases& cases);

// What a gateway with these parts would decide; what it knows of labels changes, nothing is recorded.
struct Explained {
  route::Decision decision;
  seal::LabelDecision label;
};
ApiResult<Explained> explain_route(const route::Router& router, seal::LabelGiver& labels, const Access& access,
                                   const net::Request& request, std::string_view conversation_key);

// The request of a step, or of a file for `hearth route explain`: {"path", "headers", "body"}.
Result<net::Request> read_route_request(const Json& json);
// Members of `expect` that `decision` does not have; empty: it is as expected.
std::string difference(const Json& expect, const Json& decision);
// Verdicts that are given as values.
route::AskVerdict ask_list(std::vector<store::ClassVerdict> verdicts, store::VerdictBasis now);

}  // namespace hearth::gateway
