#pragma once
// The cluster's membership over HTTP, for whatever serves with make_cluster_server_tls:
//
//   POST /v1/enrol     CertificateRequest to Issued; an invite's holder, once
//   POST /v1/renew     the same for the member that asks; its name cannot change
//   GET  /v1/members   the signed list as text (members.h)
//   PUT  /v1/members   takes a list; {"version": in force afterwards, "changed": true or false}
//
// Who asks is Request::peer_identity: without one (a plain connection) every route refuses.

#include <memory>
#include <string_view>

#include "hearth/base/json.h"
#include "hearth/net/http_router.h"
#include "hearth/node/membership/membership.h"

namespace hearth::node {

inline constexpr std::string_view enrol_path = "/v1/enrol";
inline constexpr std::string_view renew_path = "/v1/renew";
inline constexpr std::string_view members_path = "/v1/members";

void add_membership_routes(net::Router& router, std::shared_ptr<ClusterMembership> membership);

// The bodies, for both ends. Errors name the field.
Json to_json(const CertificateRequest& request);
Json to_json(const Issued& issued);
Result<CertificateRequest> parse_certificate_request(std::string_view json);
Result<Issued> parse_issued(std::string_view json);

}  // namespace hearth::node
