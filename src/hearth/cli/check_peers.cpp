#include "hearth/cli/check_peers.h"

#include "hearth/base/json.h"
#include "hearth/node/agent/peer_client.h"
#include "hearth/node/membership/membership.h"

namespace hearth::cli {
namespace {

constexpr Duration ask_time_max = std::chrono::seconds(5);

Result<node::NodeFacts> ask(net::HttpClient& http, const node::Member& member, const StopToken& stop) {
  if (member.address.empty()) return fail(Code::not_found, "the members' list has no address of it");
  return node::PeerClient(http, {member.name, TRY(node::agent_address(member))}).facts(Deadline::after(ask_time_max), stop);
}

// What a machine found about itself; every member answers that, whether it holds a model or lends its memory.
Result<Json> ask_machine(net::HttpClient& http, const node::Member& member, const StopToken& stop) {
  if (member.address.empty()) return fail(Code::not_found, "the members' list has no address of it");
  net::ClientRequest request{.method = "GET", .address = TRY(node::agent_address(member)), .target = "/v1/check"};
  request.expected_machine = member.name;
  const auto reply = TRY(http.send(request, Deadline::after(ask_time_max), stop));
  if (reply.status >= 400) return Json::object();  // an earlier version
  return parse_json(reply.body_text());
}

check::PeerFacts facts_of(net::HttpClient& http, const node::Member& member, const Result<node::NodeFacts>& own,
                          const StopToken& stop) {
  check::PeerFacts out{.name = member.name, .address = member.address};
  const auto machine = ask_machine(http, member, stop);
  if (!machine) {
    out.fault = machine.error().message;
    return out;
  }
  out.machine = check::findings_of_json(*machine);
  out.hearth_version = get<std::string>(*machine, "hearth").value_or("");
  // The first exchange shook hands as well: this one takes what later ones will.
  const Instant begin = SteadyClock().now();
  const auto theirs = ask(http, member, stop);
  out.round_trip_ms = milliseconds(SteadyClock().now() - begin);
  if (!theirs) return out;  // it holds no model, or is loading one
  out.hearth_version = theirs->hearth_version;
  out.engine_version = theirs->engine_version;
  out.backend = theirs->backend;
  if (own && !theirs->model_name.empty()) out.cannot_pair = node::pairing_refusal(*own, *theirs).value_or("");
  return out;
}

}  // namespace

Result<std::vector<check::PeerFacts>> gather_peers(const std::filesystem::path& directory, const StopToken& stop) {
  std::vector<check::PeerFacts> out;
  std::error_code ignored;
  if (!std::filesystem::is_directory(directory, ignored)) return out;
  const auto membership = TRY(node::ClusterMembership::open(directory));
  const auto list = TRY(membership->members());
  const auto http = node::make_cluster_client(membership);
  const node::Member* self = list->list.find(membership->machine());
  const Result<node::NodeFacts> own =
      self != nullptr ? ask(*http, *self, stop) : Result<node::NodeFacts>(fail(Code::not_found, "no member"));
  for (const node::Member& member : list->list.members) {
    if (member.name != membership->machine()) out.push_back(facts_of(*http, member, own, stop));
  }
  return out;
}

}  // namespace hearth::cli
