#include "hearth/cli/cluster_client.h"

#include <fmt/format.h>

#include "hearth/cli/environment.h"
#include "hearth/net/http_error.h"

namespace hearth::cli {

Result<ClusterClient> ClusterClient::open(const std::filesystem::path& directory) {
  const auto folder = TRY(cluster_directory(directory));
  auto membership = TRY(node::ClusterMembership::open(folder));
  return ClusterClient(std::move(membership));
}

Result<std::vector<node::Member>> ClusterClient::members() const {
  const auto list = TRY(membership_->members());
  return list->list.members;
}

Result<Json> ClusterClient::ask(const std::string& machine, std::string method, std::string target,
                                std::string_view body, std::string_view content_type, Duration time_max,
                                const StopToken& stop) const {
  const auto list = TRY(membership_->members());
  const node::Member* member = list->list.find(machine);
  if (member == nullptr || member->address.empty()) {
    return fail(Code::not_found, fmt::format("the cluster has no machine '{}' with an address; hearth cluster ls "
                                             "shows all", machine));
  }
  net::ClientRequest request{.method = std::move(method), .address = TRY(net::parse_address(member->address)),
                             .target = std::move(target)};
  request.address.tls = true;
  request.expected_machine = machine;
  if (!body.empty()) {
    request.body = {as_byte_span(body)};
    request.headers.add("Content-Type", std::string(content_type));
  }
  const auto reply = TRY(http_->send(request, Deadline::after(time_max), stop));
  if (reply.status >= 400) return std::unexpected(net::error_of_reply(reply.status, reply.body.span(), machine));
  if (reply.body_text().empty()) return Json::object();
  return parse_json(reply.body_text());
}

}  // namespace hearth::cli
