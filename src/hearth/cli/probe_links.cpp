#include "hearth/cli/probe_links.h"

#include <system_error>

#include "hearth/cli/environment.h"
#include "hearth/node/membership/membership.h"

namespace hearth::cli {
namespace {

node::LinkProbe probe_member(net::HttpClient& http, const node::Member& member, const StopToken& stop) {
  const auto address = node::agent_address(member);
  if (!address) return {.machine = member.name, .trouble = address.error().message};
  return node::probe_link(http, {.machine = member.name, .address = *address}, {}, stop);
}

}  // namespace

Result<ProbedLinks> probe_links(const std::filesystem::path& directory, Progress& progress, const StopToken& stop) {
  ProbedLinks out;
  const auto folder = TRY(cluster_directory(directory));
  std::error_code ignored;
  if (!std::filesystem::is_directory(folder, ignored)) return out;
  const auto membership = TRY(node::ClusterMembership::open(folder));
  const auto list = TRY(membership->members());
  const auto http = node::make_cluster_client(membership);
  out.machine = membership->machine();
  for (const node::Member& member : list->list.members) {
    if (member.name == out.machine) continue;
    progress.update("timing the link to " + member.name, 0);
    out.links.push_back(probe_member(*http, member, stop));
    if (stop.stop_requested()) return fail(Code::cancelled, "stopped while links were timed");
  }
  return out;
}

}  // namespace hearth::cli
