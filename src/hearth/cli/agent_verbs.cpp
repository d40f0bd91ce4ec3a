#include "hearth/cli/agent_verbs.h"

#include <fmt/format.h>

#include <cstdio>

#include "hearth/cli/environment.h"
#include "hearth/cli/table.h"
#include "hearth/net/http_error.h"
#include "hearth/node/membership/membership.h"

namespace hearth::cli {
namespace {

constexpr Duration ask_deadline = std::chrono::seconds(5);
constexpr Duration parity_deadline = std::chrono::minutes(30);

// This machine's own agent, or that of `machine`.
Result<Json> ask_agent(const AgentFlags& flags, std::string method, std::string target,
                       const Json& body, Duration deadline, const StopToken& stop) {
  const auto directory = TRY(cluster_directory(flags.directory));
  const auto membership = TRY(node::ClusterMembership::open(directory));
  const auto list = TRY(membership->members());
  const std::string machine = flags.machine.empty() ? membership->machine() : flags.machine;
  const node::Member* member = list->list.find(machine);
  if (member == nullptr || member->address.empty()) {
    return fail(Code::not_found, fmt::format("the cluster has no machine '{}' with an address; hearth cluster ls "
                                             "shows all", machine));
  }
  net::ClientRequest request{.method = std::move(method), .address = TRY(net::parse_address(member->address)),
                             .target = std::move(target)};
  request.address.tls = true;
  request.expected_machine = machine;
  const std::string text = body.is_null() ? "" : dump_json(body);
  if (!text.empty()) {
    request.body = {as_byte_span(text)};
    request.headers.add("Content-Type", "application/json");
  }
  const auto client = node::make_cluster_client(*membership);
  const auto reply = TRY(client->send(request, Deadline::after(deadline), stop));
  if (reply.status >= 400) return std::unexpected(net::error_of_reply(reply.status, reply.body.span(), machine));
  return parse_json(reply.body_text());
}

std::string text_of(const Json& object, std::string_view member) {
  return get_or<std::string>(object, member, "").value_or("");
}
std::string number_of(const Json& object, std::string_view member, const char* unit) {
  const auto value = find<double>(object, member).value_or(std::nullopt);
  return value ? fmt::format("{:.3g} {}", *value, unit) : "-";
}

void print_status(const Json& status) {
  const Json& machine = *status.find("machine");
  if (const Json* lends = status.find("lends")) {
    const std::string user = text_of(*lends, "used_by");
    fmt::print("{} lends its memory: {}\n", text_of(machine, "name"), user.empty() ? "nobody uses it now" : "to " + user);
  }
  if (status.find("worker") == nullptr) return;
  const Json& worker = *status.find("worker");
  fmt::print("{} at {}: {}, {}, worker {} ({} restarts)\n", text_of(machine, "name"), text_of(machine, "address"),
             text_of(machine, "model"), text_of(machine, "backend"),
             get_or<bool>(worker, "running", false).value_or(false) ? "running" : "down",
             get_or<std::uint64_t>(worker, "restarts", 0).value_or(0));
  const Json& store = *status.find("store");
  fmt::print("store: {} on disk, {} in memory\n",
             human_bytes(get_or<double>(store, "disk_bytes", 0).value_or(0)),
             human_bytes(get_or<double>(store, "memory_bytes", 0).value_or(0)));
  const auto& peers = status.find("peers")->as_array();
  if (peers.empty()) return;
  Table table({"machine", "address", "prefills for us", ">round trip", ">link", "parity", "trouble"});
  for (const Json& peer : peers) {
    const Json* parity = peer.find("parity");
    const bool usable = get_or<bool>(peer, "usable", false).value_or(false);
    const std::string why = text_of(peer, "why_not");
    table.add({text_of(peer, "name"), text_of(peer, "address"), usable ? "yes" : why.empty() ? "not tried yet" : why,
               number_of(peer, "round_trip_ms", "ms"), number_of(peer, "link_mb_per_s", "MB/s"),
               parity == nullptr ? "-"
               : get_or<bool>(*parity, "exact", false).value_or(false)
                   ? "exact"
                   : "KL " + number_of(*parity, "kl", ""),
               text_of(peer, "trouble")});
  }
  fmt::print("{}", table.text());
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

Verb status_verb(StopToken stop) {
  const auto flags = std::make_shared<AgentFlags>();
  return {.name = "status",
          .summary = "what a machine of the cluster is doing: worker, store, peers and links",
          .example = "hearth status --on studio",
          .declare = [flags](Flags& f) { declare_common(f, *flags); },
          .run =
              [flags, stop] {
                return finish(*flags, ask_agent(*flags, "GET", "/v1/status", {}, ask_deadline, stop), print_status);
              },
          .children = {}};
}

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

Verb parity_verb(StopToken stop) {
  const auto flags = std::make_shared<AgentFlags>();
  return {.name = "parity",
          .summary = "compare what a machine computes with what this one computes, now",
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
                  fmt::print("{}: KL {}, largest difference of a logit {}, {} of {} greedy tokens equal\n",
                             get_or<bool>(parity, "exact", false).value_or(false) ? "exact" : "not exact",
                             number_of(parity, "kl", "nats"), number_of(parity, "logit_distance_max", ""),
                             number_of(parity, "tokens_equal", ""), number_of(parity, "tokens_compared", ""));
                });
                if (code != exit_done) return code;
                return get_or<bool>(*answer, "top_equal", false).value_or(false) ? exit_done : exit_no;
              },
          .children = {}};
}

}  // namespace hearth::cli
