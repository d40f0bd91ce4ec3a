#include "hearth/node/membership/membership_routes.h"

#include <fmt/format.h>

#include "hearth/base/log.h"
#include "hearth/net/x509.h"

namespace hearth::node {
namespace {

constexpr std::uint64_t request_bytes_max = 32 * 1024;
constexpr std::size_t text_bytes_max = 300;  // names and addresses

Result<const net::PeerIdentity*> peer_of(const net::Request& request) {
  if (request.peer_identity) return &*request.peer_identity;
  return fail(Code::permission, "membership is served over the cluster's TLS only");
}

Result<std::string> read_text(const Json& json, std::string_view key) {
  auto text = TRY(get_or<std::string>(json, key, ""));
  if (text.size() <= text_bytes_max) return text;
  return fail(Code::invalid_argument, fmt::format("{}: at most {} bytes", key, text_bytes_max));
}

Result<std::string> read_pem(const Json& json, std::string_view key) {
  auto text = TRY(get<std::string>(json, key));
  if (text.size() <= net::pem_bytes_max) return text;
  return fail(Code::invalid_argument, fmt::format("{}: at most {} bytes", key, net::pem_bytes_max));
}

using Issue = Result<Issued> (ClusterMembership::*)(const net::PeerIdentity&,
                                                    const CertificateRequest&);

net::Handler issuing(std::shared_ptr<ClusterMembership> membership, Issue issue) {
  return [membership, issue](net::Request& request, const net::PathParams&) -> Result<net::Response> {
    const net::PeerIdentity* peer = TRY(peer_of(request));
    const auto wanted = TRY(parse_certificate_request(request.body_text()));
    const auto issued = TRY(((*membership).*issue)(*peer, wanted));
    log_info(fmt::format("a certificate for '{}', asked from {}", issued.machine, request.remote));
    return net::Response::json(200, to_json(issued));
  };
}

}  // namespace

void add_membership_routes(net::Router& router, std::shared_ptr<ClusterMembership> membership) {
  router.add("POST", enrol_path, issuing(membership, &ClusterMembership::enrol),
             {.body_bytes_max = request_bytes_max});
  router.add("POST", renew_path, issuing(membership, &ClusterMembership::renew),
             {.body_bytes_max = request_bytes_max});
  router.add("GET", members_path,
             [membership](net::Request& request, const net::PathParams&) -> Result<net::Response> {
               TRY(peer_of(request));
               const auto current = TRY(membership->members());
               return net::Response::text(200, current->text, "application/x-ndjson");
             });
  router.add("PUT", members_path,
             [membership](net::Request& request, const net::PathParams&) -> Result<net::Response> {
               TRY(peer_of(request));
               const bool changed = TRY(membership->take_members(request.body_text()));
               const auto current = TRY(membership->members());
               return net::Response::json(
                   200, Json::object({{"version", current->list.version}, {"changed", changed}}));
             },
             {.body_bytes_max = members_bytes_max});
}

Json to_json(const CertificateRequest& request) {
  return Json::object({{"request", request.request_pem},
                       {"machine", request.machine},
                       {"host_name", request.host_name},
                       {"address", request.address}});
}

Json to_json(const Issued& issued) {
  return Json::object({{"machine", issued.machine},
                       {"certificate", issued.certificate_pem},
                       {"authority", issued.authority_pem},
                       {"members", issued.members_text}});
}

Result<CertificateRequest> parse_certificate_request(std::string_view text) {
  const Json json = TRY(parse_json(text));
  CertificateRequest out;
  out.request_pem = TRY(read_pem(json, "request"));
  out.machine = TRY(read_text(json, "machine"));
  out.host_name = TRY(read_text(json, "host_name"));
  out.address = TRY(read_text(json, "address"));
  return out;
}

Result<Issued> parse_issued(std::string_view text) {
  const Json json = TRY(parse_json(text));
  Issued out;
  out.machine = TRY(get<std::string>(json, "machine"));
  out.certificate_pem = TRY(read_pem(json, "certificate"));
  out.authority_pem = TRY(read_pem(json, "authority"));
  out.members_text = TRY(get<std::string>(json, "members"));
  return out;
}

}  // namespace hearth::node
