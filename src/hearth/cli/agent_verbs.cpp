#include "hearth/cli/agent_verbs.h"

#include <fmt/format.h>

#include <cstdio>

#include "hearth/cli/cluster_client.h"
#include "hearth/cli/table.h"

namespace hearth::cli {
namespace {

constexpr Duration ask_deadline = std::chrono::seconds(5);
constexpr Duration parity_deadline = std::chrono::minutes(30);

// This machine's own agent, or that of `machine`.
Result<Json> ask_agent(const AgentFlags& flags, std::string method, std::string target,
                       const Json& body, Duration deadline, const StopToken& stop) {
  const auto client = TRY(ClusterClient::open(flags.directory));
  const std::string machine = flags.machine.empty() ? client.machine() : flags.machine;
  const std::string text = body.is_null() ? "" : dump_json(body);
  return client.ask(machine, std::move(method), std::move(target), text, "application/json", deadline, stop);
}

std::string text_of(const Json& object, std::string_view member) {
  return get_or<std::string>(object, member, "").value_or("");
}
std::string number_of(const Json& object, std::string_view member, const char* unit) {
  const auto value = find<double>(object, member).value_or(std::nullopt);
  return value ? fmt::format("{:.3g} {}", *value, unit) : "-";
}

void print_decisions(const Json& log) {
  Table table({"request", "chosen", ">predicted", ">actual", ">best", ">regret", "outcome"});
  for (const Json& decision : log.find("decisions")->as_array()) {
    std::string predicted = "-";
    for (const Json& option : decision.find("options")->as_array()) {
      if (text_of(option, "name") == text_of(decision, "chosen")) predicted = number_of(option, "predicted_s", "s");
    }
    table.add({text_of(decision, "request"), text_of(decision, "chosen"), predicted,
               number_of(decision, "actual_s", "s"), number_of(decision, "best_s", "s"),
               number_of(decision, "regret_s", "s"), text_of(decision, "outcome")});
  }
  fmt::print("{}", table.text());
}

int finish(const AgentFlags& flags, const Result<Json>& answer, void (*print)(const Json&)) {
  if (!answer) return report(answer.error());
  if (flags.json) std::puts(dump_json(*answer, 2).c_str());
  else print(*answer);
  return exit_done;
}

void declare_common(Flags& f, AgentFlags& flags) {
  f.path("--dir", flags.directory, "the cluster's folder (default: cluster in the configuration directory)");
  f.text("--on", flags.machine, "the machine to ask (default: this one)");
  f.toggle("--json", flags.json, "one JSON document");
}

}  // namespace

Verb decisions_verb(StopToken stop) {
  const auto flags = std::make_shared<AgentFlags>();
  return {.name = "decisions",
          .summary = "who prefilled for whom, what was predicted, what it took, what the choice cost",
          .example = "hearth cluster decisions --json",
          .declare = [flags](Flags& f) { declare_common(f, *flags); },
          .run =
              [flags, stop] {
                return finish(*flags, ask_agent(*flags, "GET", "/v1/decisions", {}, ask_deadline, stop),
                              print_decisions);
              },
          .children = {}};
}

Verb prefill_policy_verb(StopToken stop) {
  const auto flags = std::make_shared<AgentFlags>();
  return {.name = "prefill",
          .summary = "from the next request on: who computes prompts, auto, alone or remote; until it is started again",
          .example = "hearth cluster prefill alone",
          .declare =
              [flags](Flags& f) {
                f.text("policy", flags->policy, "auto, alone or remote, as --cluster-prefill of hearth serve");
                f.required();
                declare_common(f, *flags);
              },
          .run =
              [flags, stop] {
                const Json body = Json::object({{"policy", flags->policy}});
                return finish(*flags, ask_agent(*flags, "PUT", "/v1/prefill-policy", body, ask_deadline, stop),
                              [](const Json& answer) { fmt::print("prefill: {}\n", text_of(answer, "policy")); });
              },
          .children = {}};
}

Verb parity_verb(StopToken stop) {
  const auto flags = std::make_shared<AgentFlags>();
  return {.name = "parity",
          .summary = "compare what a machine computes with what this one computes, now; exit 1: not equal enough",
          .example = "hearth cluster parity spark-1",
          .declare =
              [flags](Flags& f) {
                f.text("machine", flags->peer, "the machine that prefills");
                f.required();
                declare_common(f, *flags);
              },
          .run =
              [flags, stop]() -> int {
                const Json body = Json::object({{"machine", flags->peer}});
                const auto answer = ask_agent(*flags, "POST", "/v1/parity", body, parity_deadline, stop);
                const int code = finish(*flags, answer, [](const Json& parity) {
                  fmt::print("{}: KL {}, largest difference of a logit {}, the first {} of {} greedy tokens equal\n",
                             get_or<bool>(parity, "exact", false).value_or(false) ? "exact" : "not exact",
                             number_of(parity, "kl", "nats"), number_of(parity, "logit_distance_max", ""),
                             number_of(parity, "tokens_equal", ""), number_of(parity, "tokens_compared", ""));
                  const std::string fault = text_of(parity, "fault");
                  if (!fault.empty()) fmt::print("not equal enough: {}\n", fault);
                });
                if (code != exit_done) return code;
                const auto fault = get<std::string>(*answer, "fault");
                if (!fault) return report(fault.error());
                return fault->empty() ? exit_done : exit_no;
              },
          .children = {}};
}

}  // namespace hearth::cli
