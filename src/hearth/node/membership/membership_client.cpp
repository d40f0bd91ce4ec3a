#include "hearth/node/membership/membership_client.h"

#include <fmt/format.h>

#include "hearth/net/http_error.h"
#include "hearth/net/x509.h"
#include "hearth/node/membership/membership_routes.h"

namespace hearth::node {
namespace {

constexpr std::uint64_t reply_bytes_max = members_bytes_max + 4 * net::pem_bytes_max;

net::ClientRequest request_to(std::string machine, net::Address address, std::string method,
                              std::string_view path, const std::string& body) {
  net::ClientRequest out;
  out.method = std::move(method);
  out.address = std::move(address);
  out.address.tls = true;
  out.target = path;
  out.expected_machine = std::move(machine);
  out.reply_bytes_max = reply_bytes_max;
  if (!body.empty()) out.body = {as_byte_span(body)};
  return out;
}

Result<net::ClientReply> exchange(net::HttpClient& client, const net::ClientRequest& request,
                                  Deadline deadline, const StopToken& stop) {
  auto reply = TRY(client.send(request, deadline, stop));
  if (reply.status < 400) return reply;
  return std::unexpected(net::error_of_reply(reply.status, reply.body.span(),
                                             fmt::format("{} at {}", request.expected_machine,
                                                         request.address.text())));
}

// Which machine, and where it listens.
Result<net::ClientRequest> request_to_member(const ClusterMembership& membership,
                                             std::string_view machine, const std::string& at,
                                             std::string method, std::string_view path,
                                             const std::string& body) {
  const auto current = TRY(membership.members());
  const Member* member = current->list.find(machine);
  if (member == nullptr) {
    return fail(Code::not_found, fmt::format("'{}' is no member of the cluster", machine));
  }
  const std::string& text = at.empty() ? member->address : at;
  if (text.empty()) {
    return fail(Code::invalid_argument,
                fmt::format("where '{}' listens is not known; say it with --address HOST:PORT", machine));
  }
  auto address = TRY(net::parse_address(text));
  return request_to(std::string(machine), std::move(address), std::move(method), path, body);
}

// The authority's certificate, from the chain that the inviting machine shows: the one whose
// digest the code names, and that the machine's own certificate is signed by.
Result<std::string> fetch_authority(const JoinCode& code, const net::TlsIdentity& invited,
                                    Deadline deadline, const StopToken& stop) {
  net::TlsClientOptions options;
  options.credentials = TRY(net::TlsCredentials::create(invited, ""));
  options.expected_machine = code.machine;
  options.authority_sha256 = code.authority_sha256;
  auto plain = TRY(net::connect_stream(code.address, deadline, stop));
  const auto stream = TRY(net::make_tls_client_stream(std::move(plain), options));
  TRY(stream->handshake(deadline, stop));
  for (const std::string& certificate : stream->peer_chain()) {
    const auto facts = TRY(net::read_certificate(certificate));
    if (facts.certificate_sha256.starts_with(code.authority_sha256)) return certificate;
  }
  return fail(Code::permission, code.address.text() + " does not show the cluster's authority");
}

// What came must fit what was asked for, before any of it is written.
Result<MemberList> check_issued(const Issued& issued, std::string_view authority_pem,
                                std::string_view private_key_pem) {
  TRY(net::check_key_of(issued.certificate_pem, private_key_pem));
  TRY(net::check_signed_by(issued.certificate_pem, authority_pem));
  const auto facts = TRY(net::read_certificate(issued.certificate_pem));
  auto list = TRY(open_members(issued.members_text, authority_pem));
  if (facts.common_name == issued.machine && list.find(issued.machine) != nullptr) return list;
  return fail(Code::corrupt, "the certificate and the member list name different machines");
}

}  // namespace

Result<MemberList> join_cluster(const JoinCode& code, const JoinOptions& options, Deadline deadline,
                                const StopToken& stop) {
  TRY(check_no_cluster(options.directory));
  const auto invited = TRY(invited_identity(code));
  const std::string authority = TRY(fetch_authority(code, invited, deadline, stop));
  net::CurlClientOptions client_options;
  client_options.tls = TRY(net::TlsCredentials::create(invited, authority));
  const auto client = net::make_curl_client(std::move(client_options));

  const std::string key = TRY(net::make_private_key());
  CertificateRequest wanted;
  wanted.request_pem = TRY(net::make_certificate_request(key));
  wanted.machine = options.machine;
  wanted.host_name = options.host_name;
  wanted.address = options.address;
  const std::string body = dump_json(to_json(wanted));
  const auto request = request_to(code.machine, code.address, "POST", enrol_path, body);
  const auto reply = exchange(*client, request, deadline, stop);
  if (!reply && reply.error().code == Code::permission) {
    return std::unexpected(with_context(
        reply.error(), "the invite was refused (used up, expired, or from another cluster)"));
  }
  if (!reply) return std::unexpected(reply.error());
  const auto issued = TRY(parse_issued(reply->body_text()));
  auto list = TRY(check_issued(issued, authority, key));
  TRY(make_folder(options.directory,
                  {{"authority.pem", authority},
                   {"machine.pem", machine_file_text({issued.certificate_pem, key})},
                   {"members.json", issued.members_text}}));
  return list;
}

Result<net::CertificateFacts> renew_certificate(ClusterMembership& membership,
                                                net::HttpClient& client, const std::string& at,
                                                Deadline deadline, const StopToken& stop) {
  // Of two renewals at once, one would write a certificate that the other has replaced.
  const FolderLock lock = TRY(FolderLock::take(membership.directory(), Locked::identity));
  TRY(membership.refresh());
  const std::string key = TRY(net::make_private_key());
  CertificateRequest wanted;
  wanted.request_pem = TRY(net::make_certificate_request(key));
  Issued issued;
  if (holds_authority(membership.directory())) {
    issued = TRY(membership.renew({membership.certificate(), true}, wanted));
  } else {
    const auto current = TRY(membership.members());
    const std::string body = dump_json(to_json(wanted));
    const auto request = TRY(request_to_member(membership, current->list.authority, at, "POST",
                                               renew_path, body));
    const auto reply = TRY(exchange(client, request, deadline, stop));
    issued = TRY(parse_issued(reply.body_text()));
  }
  TRY(check_issued(issued, membership.credentials()->current()->authority_pem, key));
  TRY(write_cluster_file(ClusterPaths{membership.directory()}.machine(),
                         machine_file_text({issued.certificate_pem, key})));
  TRY(membership.refresh());
  TRY(membership.take_members(issued.members_text));
  return membership.certificate();
}

Result<bool> renew_if_due(ClusterMembership& membership, net::HttpClient& client, Deadline deadline,
                          const StopToken& stop) {
  TRY(membership.refresh());
  if (!renewal_is_due(membership.certificate(), membership.now())) return false;
  TRY(renew_certificate(membership, client, "", deadline, stop));
  return true;
}

std::vector<Told> tell_members(const ClusterMembership& membership, net::HttpClient& client,
                               Duration time_max_each, const StopToken& stop) {
  std::vector<Told> out;
  const auto current = membership.members();
  if (!current) return {{membership.machine(), current.error()}};
  const auto tell = [&](const Member& member) -> Result<> {
    const auto request = TRY(request_to_member(membership, member.name, "", "PUT", members_path,
                                               (*current)->text));
    TRY(exchange(client, request, Deadline::after(time_max_each), stop));
    return {};
  };
  for (const Member& member : (*current)->list.members) {
    if (member.name == membership.machine() || member.address.empty()) continue;
    const auto told = tell(member);
    out.push_back({member.name, told ? std::nullopt : std::optional<Error>(told.error())});
  }
  return out;
}

Result<bool> fetch_members(ClusterMembership& membership, net::HttpClient& client,
                           std::string_view machine, Deadline deadline, const StopToken& stop) {
  const auto request =
      TRY(request_to_member(membership, machine, "", "GET", members_path, ""));
  const auto reply = TRY(exchange(client, request, deadline, stop));
  return membership.take_members(reply.body_text());
}

}  // namespace hearth::node
