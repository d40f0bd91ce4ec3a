#include "hearth/gateway/route_cases.h"

#include <fmt/format.h>

#include <algorithm>

#include "hearth/route/verdicts.h"
#include "hearth/upstream/config.h"

namespace hearth::gateway {
namespace {

constexpr std::string_view cases_key = "cases";
constexpr std::string_view conversation_key = "route cases";

Result<std::vector<store::ClassVerdict>> read_verdicts(const Json* list) {
  std::vector<store::ClassVerdict> out;
  if (list == nullptr) return out;
  if (!list->is_array()) return fail(Code::invalid_argument, "verdicts: expected a list");
  for (const Json& one : list->as_array()) {
    store::ClassVerdict verdict;
    verdict.task_class = TRY(get<std::string>(one, "class", "verdicts"));
    verdict.arm = TRY(get<std::string>(one, "arm", "verdicts"));
    verdict.good_enough = TRY(get<bool>(one, "good_enough", "verdicts"));
    verdict.verdict = TRY(get_or<std::string>(one, "verdict", verdict.good_enough ? "non-inferior" : "inferior"));
    verdict.basis.model_digest = TRY(get_or<std::string>(one, "model_digest", ""));
    verdict.basis.engine_build = TRY(get_or<std::string>(one, "engine_build", ""));
    verdict.basis.topology = TRY(get_or<std::string>(one, "topology", ""));
    verdict.basis.suite_version = TRY(get_or<std::string>(one, "suite_version", ""));
    out.push_back(std::move(verdict));
  }
  return out;
}

Result<store::VerdictBasis> read_basis(const Json* now) {
  store::VerdictBasis out;
  if (now == nullptr) return out;
  out.model_digest = TRY(get_or<std::string>(*now, "model_digest", ""));
  out.engine_build = TRY(get_or<std::string>(*now, "engine_build", ""));
  out.topology = TRY(get_or<std::string>(*now, "topology", ""));
  out.suite_version = TRY(get_or<std::string>(*now, "suite_version", ""));
  return out;
}

// The innermost of step, case and file that has it.
const Json* inherited(std::string_view key, std::initializer_list<const Json*> from) {
  for (const Json* one : from) {
    if (const Json* found = one->find(key)) return found;
  }
  return nullptr;
}

Result<net::Headers> read_headers(const Json* json) {
  net::Headers out;
  if (json == nullptr) return out;
  if (!json->is_object()) return fail(Code::invalid_argument, "headers: expected an object");
  for (const auto& [name, value] : json->as_object()) {
    if (!value.is_string()) return fail(Code::invalid_argument, "headers." + name + ": expected a text");
    out.set(name, value.as_string());
  }
  return out;
}

Result<RouteStep> read_step(const Json& step, const Json& of_case, const Json& file) {
  RouteStep out;
  out.path = TRY(get_or<std::string>(step, "path", out.path));
  out.headers = TRY(read_headers(step.find("headers")));
  if (const Json* body = step.find("body")) out.body = *body;
  if (const Json* expect = step.find("expect")) out.expect = *expect;
  if (!out.expect.is_object()) return fail(Code::invalid_argument, "expect: is needed, like {\"target\": \"local\"}");
  out.verdicts = TRY(read_verdicts(inherited("verdicts", {&step, &of_case, &file})));
  out.now = TRY(read_basis(inherited("now", {&step, &of_case, &file})));
  return out;
}

net::Request request_of(const RouteStep& step) {
  net::Request out{.method = "POST", .path = step.path, .headers = step.headers};
  const std::string text = dump_json(step.body);
  out.body = *Buffer::create(text.size());
  std::ranges::copy(as_byte_span(text), out.body.data());
  return out;
}

std::unique_ptr<Dialect> dialect_at(std::string_view path) {
  if (path.starts_with("/v1/messages")) return make_anthropic_messages();
  if (path.starts_with("/v1/responses")) return make_openai_responses();
  return path.starts_with("/v1/completions") ? make_openai_completions() : make_openai_chat();
}

std::string run_case(const RouteCases& cases, const RouteCase& one) {
  const RouteStep* now = nullptr;  // whose verdicts are asked
  auto router = route::Router::open({.table = cases.table, .verdicts = [&](const std::string& verdict_class, const std::string& arm) {
    return ask_list(now->verdicts, now->now)(verdict_class, arm);
  }});
  if (!router) return router.error().message;
  const auto labels = seal::Labeller::open({}, {});
  if (!labels) return labels.error().message;
  AccessRules rules{.key_names = cases.key_names};
  for (const auto& [key, name] : cases.key_names) rules.api_keys.push_back(key);
  const Access access(rules);
  for (std::size_t i = 0; i < one.steps.size(); ++i) {
    now = &one.steps[i];
    const net::Request request = request_of(*now);
    const auto body = parse_json(request.body_text());
    auto parsed = dialect_at(now->path)->parse(*body, /*counting=*/false);
    if (!parsed) return fmt::format("step {}: {}", i + 1, parsed.error().message);
    Json decision = Json::object({{"refused", true}});
    if (const auto labelled = label_of(**labels, access, request, *parsed, *body)) {
      const seal::Label label = labelled->decision.label;
      const route::RouteAsk ask = ask_of(conversation_key, access, request, *parsed, label, fmt::format("{}", i));
      decision = route::decision_json((*router)->decide(ask).first, label);
    }
    if (const std::string wrong = difference(now->expect, decision); !wrong.empty()) return fmt::format("step {}: {}", i + 1, wrong);
  }
  return {};
}

}  // namespace

route::AskVerdict ask_list(std::vector<store::ClassVerdict> verdicts, store::VerdictBasis now) {
  return [verdicts = std::move(verdicts), now = std::move(now)](const std::string& verdict_class, const std::string& arm) {
    for (const store::ClassVerdict& one : verdicts) {
      if (one.task_class == verdict_class && one.arm == arm) return route::state_of(one, now);
    }
    return route::state_of(std::nullopt, now);
  };
}

Result<RouteCases> read_route_cases(const Json& file, std::string_view name) {
  RouteCases out;
  const Json* config = file.find("config");
  const Json none = Json::object();
  if (config == nullptr) config = &none;
  const Json* upstreams = config->find("upstream");
  out.upstreams = TRY(upstream::read_upstreams(upstreams == nullptr ? Json() : *upstreams, name));
  std::vector<route::Target> targets;
  for (const upstream::EndpointSpec& spec : out.upstreams) targets.push_back({spec.name, spec.reach});
  const Json* routes = config->find("routes");
  out.table = TRY(route::read_routes(routes == nullptr ? Json() : *routes, name, std::move(targets)));
  if (const Json* keys = config->find("keys"); keys != nullptr && keys->is_object()) {
    for (const auto& [key_name, key] : keys->as_object()) out.key_names[TRY(read_json<std::string>(key, "keys"))] = key_name;
  }
  const Json* cases = file.find(cases_key);
  if (cases == nullptr || !cases->is_array()) return fail(Code::invalid_argument, fmt::format("{}: expected {{\"cases\": [...]}}", name));
  for (const Json& one : cases->as_array()) {
    RouteCase read{.name = TRY(get<std::string>(one, "name", cases_key))};
    const Json* steps = one.find("steps");
    const Json only = Json::array({one});
    for (const Json& step : (steps == nullptr ? only : *steps).as_array()) {
      auto made = read_step(step, one, file);
      if (!made) return std::unexpected(with_context(std::move(made.error()), fmt::format("{}: case \"{}\"", name, read.name)));
      read.steps.push_back(*std::move(made));
    }
    out.cases.push_back(std::move(read));
  }
  return out;
}

std::vector<RouteCaseResult> run_route_cases(const RouteCases& cases) {
  std::vector<RouteCaseResult> out;
  for (const RouteCase& one : cases.cases) out.push_back({one.name, run_case(cases, one)});
  return out;
}

ApiResult<Explained> explain_route(const route::Router& router, seal::LabelGiver& labels, const Access& access,
                                   const net::Request& request, std::string_view conversation_key_text) {
  const auto body = parse_json(request.body_text());
  if (!body || !body->is_object()) return std::unexpected(ApiError{.kind = ApiError::Kind::invalid_request, .message = "the body is not a JSON object"});
  const ChatRequest parsed = TRY(dialect_at(request.path)->parse(*body, /*counting=*/false));
  Explained out;
  out.label = TRY(label_of(labels, access, request, parsed, *body)).decision;
  const route::RouteAsk ask = ask_of(conversation_key_text, access, request, parsed, out.label.label, /*id=*/{});
  out.decision = router.explain(ask);
  return out;
}

Result<net::Request> read_route_request(const Json& json) {
  const Json* body = json.find("body");
  const bool bare = body == nullptr;
  net::Request out{.method = "POST", .path = TRY(get_or<std::string>(json, "path", bare && json.find("system") == nullptr ? "/v1/chat/completions" : "/v1/messages"))};
  out.headers = TRY(read_headers(bare ? nullptr : json.find("headers")));
  const std::string text = dump_json(bare ? json : *body);
  out.body = TRY(Buffer::create(text.size()));
  std::ranges::copy(as_byte_span(text), out.body.data());
  return out;
}

std::string difference(const Json& expect, const Json& decision) {
  for (const auto& [key, value] : expect.as_object()) {
    const Json* there = decision.find(key);
    if (key == "verdict" && there != nullptr) there = there->find("standing");
    if (there != nullptr && *there == value) continue;
    return fmt::format("{}: expected {}, got {}", key, dump_json(value), there == nullptr ? "nothing" : dump_json(*there));
  }
  return {};
}

}  // namespace hearth::gateway
