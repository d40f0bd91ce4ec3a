// hearth status: what all machines of the cluster are doing.

#include <fmt/format.h>

#include <cstdio>

#include "hearth/cli/cluster_client.h"
#include "hearth/cli/cluster_status.h"
#include "hearth/cli/verbs.h"

namespace hearth::cli {
namespace {

constexpr Duration ask_time_max = std::chrono::seconds(5);

struct StatusFlags {
  std::filesystem::path directory;
  std::string machine;
  bool json = false;
};

MachineAnswer ask(const ClusterClient& client, const node::Member& member, const StopToken& stop) {
  MachineAnswer out{.name = member.name, .address = member.address};
  auto status = client.get(member.name, "/v1/status", ask_time_max, stop);
  if (!status) {
    out.trouble = status.error().message;
    return out;
  }
  out.status = *std::move(status);
  const Json* own = out.status->find("machine");
  if (own != nullptr && get_or<bool>(*own, "coordinates", false).value_or(false)) {
    if (auto log = client.get(member.name, "/v1/decisions", ask_time_max, stop)) out.decisions = *std::move(log);
  }
  return out;
}

Result<> status(const StatusFlags& flags, const StopToken& stop) {
  const auto client = TRY(ClusterClient::open(flags.directory));
  std::vector<MachineAnswer> answers;
  for (const node::Member& member : TRY(client.members())) {
    if (!flags.machine.empty() && member.name != flags.machine) continue;
    answers.push_back(ask(client, member, stop));
  }
  if (answers.empty()) {
    return fail(Code::not_found,
                fmt::format("the cluster has no machine '{}'; hearth cluster ls shows all", flags.machine));
  }
  if (answers.size() == 1 && !answers.front().status) return fail(Code::unavailable, answers.front().trouble);
  const Json found = cluster_status(answers);
  std::fputs((flags.json ? dump_json(found, 2) + "\n" : cluster_status_text(found)).c_str(), stdout);
  return {};
}

}  // namespace

Verb status_verb(StopToken stop) {
  const auto flags = std::make_shared<StatusFlags>();
  return {.name = "status",
          .summary = "what the machines of the cluster are doing: workers, links, requests, decisions",
          .example = "hearth status --on studio",
          .declare =
              [flags](Flags& f) {
                f.path("--dir", flags->directory,
                       "the cluster's folder (default: cluster in the configuration directory)");
                f.text("--on", flags->machine, "ask this machine alone (default: all)");
                f.toggle("--json", flags->json, "one JSON document");
              },
          .run =
              [flags, stop] {
                const auto done = status(*flags, stop);
                return done ? exit_done : report(done.error());
              },
          .children = {}};
}

}  // namespace hearth::cli
