// hearth route: where a request goes and why, and a table of cases.

#include <fmt/format.h>

#include <cstdio>

#include "hearth/base/file.h"
#include "hearth/cli/environment.h"
#include "hearth/cli/routing_setup.h"
#include "hearth/cli/serve_seal.h"
#include "hearth/cli/serve_setup.h"
#include "hearth/cli/verbs.h"
#include "hearth/gateway/route_cases.h"
#include "hearth/route/verdicts.h"

namespace hearth::cli {
namespace {

constexpr std::uint64_t file_bytes_max = 64u << 20;

struct RouteFlags {
  ServeFlags serve;
  std::string file, request;
  bool last = false, json = false;
};

void print(const Json& json) { std::printf("%s\n", dump_json(json, 2).c_str()); }

std::string word(const Json& json, std::string_view key) {
  const Json* found = json.find(key);
  return found != nullptr && found->is_string() ? found->as_string() : "";
}

void print_for_people(const Json& decision) {
  const std::string target = word(decision, "target");
  std::printf("%s\n", target.empty() ? "refused" : target.c_str());
  for (const Json& sentence : decision.find("because")->as_array()) std::printf("  %s\n", sentence.as_string().c_str());
  if (const std::string by = word(decision, "answered_by"); !by.empty()) {
    std::printf("answered by %s (%s), %s, $%.4f\n", by.c_str(), word(decision, "model").c_str(), word(decision, "outcome").c_str(),
                decision.find("cost_usd")->as_double());
  }
}

Result<Json> explain_last(const std::string& request) {
  const auto log = store::RouteLog::open_read_only(TRY(in_config_directory({}, "routes.db")));
  if (!log && log.error().code == Code::not_found) return fail(Code::not_found, "no request was routed yet: hearth serve writes down each");
  if (!log) return std::unexpected(log.error());
  const auto record = request.empty() ? TRY(log->last()) : TRY(log->find(request));
  if (!record) return fail(Code::not_found, request.empty() ? "no request was routed yet" : "no request of that id was routed: " + request);
  return route::record_json(*record);
}

Result<Json> explain_file(const RouteFlags& flags) {
  const ServeConfig config = TRY(resolve_serve_flags(flags.serve));
  const Json json = TRY(parse_json(TRY(read_text_file(flags.file, file_bytes_max))));
  const net::Request request = TRY(gateway::read_route_request(json));
  const std::filesystem::path verdicts = verdicts_file_of(config, TRY(in_config_directory({}, "")));
  const store::VerdictBasis now{.model_digest = config.model_digest, .engine_build = {}, .topology = config.topology, .suite_version = config.suite_version};
  const auto router = TRY(route::Router::open({.table = config.routes, .verdicts = [&](const std::string& verdict_class, const std::string& arm) {
    return route::ask_file(verdicts, verdict_class, arm, now);
  }}));
  const auto labels = TRY(seal::Labeller::look(TRY(seal_directory()), TRY(label_rules(config, home_directory()))));
  const gateway::Access access({.api_keys = config.api_keys, .key_names = config.key_names});
  const auto explained = gateway::explain_route(*router, *labels, access, request, flags.file);
  if (!explained) return fail(Code::invalid_argument, flags.file + ": " + explained.error().message);
  return route::decision_json(explained->decision, explained->label.label);
}

Result<> explain(const RouteFlags& flags) {
  const bool recorded = flags.last || !flags.request.empty();
  if (recorded == !flags.file.empty()) return fail(Code::invalid_argument, "give FILE, --last or --request ID, one of them");
  const Json decision = recorded ? TRY(explain_last(flags.request)) : TRY(explain_file(flags));
  if (flags.json) print(decision);
  else print_for_people(decision);
  return {};
}

Result<bool> test(const RouteFlags& flags) {
  const Json json = TRY(parse_json(TRY(read_text_file(flags.file, file_bytes_max))));
  const auto cases = TRY(gateway::read_route_cases(json, flags.file));
  const auto results = gateway::run_route_cases(cases);
  Json failures = Json::array();
  for (const gateway::RouteCaseResult& one : results) {
    if (!one.complaint.empty()) failures.push(Json::object({{"name", one.name}, {"complaint", one.complaint}}));
  }
  const std::size_t failed = failures.as_array().size();
  if (flags.json) {
    print(Json::object({{"cases", results.size()}, {"passed", results.size() - failed}, {"failures", std::move(failures)}}));
    return failed == 0;
  }
  for (const Json& one : failures.as_array()) std::printf("%s: %s\n", word(one, "name").c_str(), word(one, "complaint").c_str());
  std::printf("%zu of %zu cases go where they should\n", results.size() - failed, results.size());
  return failed == 0;
}

}  // namespace

Verb route_verb() {
  const auto flags = std::make_shared<RouteFlags>();  // shared by declare and run
  Verb explains{.name = "explain",
                .summary = "where a request goes and why: one in a file, or one that was answered",
                .example = "hearth route explain --last",
                .declare =
                    [flags](Flags& f) {
                      f.text("file", flags->file, "a request as JSON: {\"path\", \"headers\", \"body\"}, or a body alone");
                      f.toggle("--last", flags->last, "the latest request that hearth serve answered");
                      f.text("--request", flags->request, "the request of that id (header request-id)");
                      flags->serve.needs_model = false;
                      f.path("--config,-c", flags->serve.config, "settings (default: hearth.toml in the configuration directory)");
                      f.toggle("--json", flags->json, "one JSON document");
                    },
                .run =
                    [flags] {
                      const auto done = explain(*flags);
                      return done ? exit_done : report(done.error());
                    }};
  Verb tests{.name = "test",
             .summary = "runs a table of cases: a configuration, requests, and where each must go",
             .example = "hearth route test my_routes.json --json",
             .declare =
                 [flags](Flags& f) {
                   f.text("file", flags->file, "the cases; docs/routes.md has their form");
                   f.required();
                   f.toggle("--json", flags->json, "one JSON document");
                 },
             .run =
                 [flags] {
                   const auto passed = test(*flags);
                   if (!passed) return static_cast<int>(report(passed.error()));
                   return static_cast<int>(*passed ? exit_done : exit_no);
                 }};
  return {.name = "route",
          .summary = "which class of work goes where, and why",
          .example = "hearth route explain --last",
          .children = {std::move(explains), std::move(tests)}};
}

}  // namespace hearth::cli
