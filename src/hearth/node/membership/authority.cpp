#include "hearth/node/membership/authority.h"

#include <fmt/format.h>

#include "hearth/net/x509.h"
#include "hearth/node/membership/cluster_folder.h"
#include "hearth/node/membership/invites.h"
#include "hearth/node/membership/machine_name.h"

namespace hearth::node {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t cluster_name_bytes_max = 100;

struct AuthorityFiles {
  MachineIdentity own;
  std::string key_pem;
  MemberList list;
};

Result<AuthorityFiles> load_authority(const fs::path& directory) {
  AuthorityFiles out;
  out.own = TRY(load_identity(directory));
  out.list = TRY(load_members(directory, out.own.authority_pem));
  if (!holds_authority(directory)) {
    return fail(Code::unsupported,
                fmt::format("this machine does not hold the cluster's authority: do this on '{}'",
                            out.list.authority));
  }
  out.key_pem = TRY(read_text_file(ClusterPaths{directory}.authority_key(), net::pem_bytes_max));
  return out;
}

Result<> check_agent_address(std::string_view text) {
  if (text.empty()) return {};
  const auto address = TRY(net::parse_address(text));
  if (!address.is_unix() && !address.tls && address.port != 0) return {};
  return fail(Code::invalid_argument,
              fmt::format("'{}': expected HOST:PORT, such as studio.local:7070", text));
}

net::CertificateTerms machine_terms(const std::string& name, std::uint64_t serial,
                                    std::chrono::sys_seconds now) {
  return {.common_name = name,
          .dns_names = {net::machine_host(name)},
          .serial = serial,
          .not_before = now - clock_difference_max,
          .expires = now + machine_certificate_time,
          .is_authority = false,
          .authority_domain = {}};
}

struct Signed {
  std::string pem;
  net::CertificateFacts facts;
};
Result<Signed> sign_for(const std::string& name, std::string_view request_pem, std::uint64_t serial,
                        std::string_view authority_pem, std::string_view authority_key_pem,
                        std::chrono::sys_seconds now) {
  Signed out;
  out.pem = TRY(net::sign_request(request_pem, machine_terms(name, serial, now), authority_pem,
                                  authority_key_pem));
  out.facts = TRY(net::read_certificate(out.pem));
  return out;
}

Result<Issued> publish(const fs::path& directory, const AuthorityFiles& authority,
                       const MemberList& list, const Signed& made) {
  Issued out;
  out.members_text = TRY(sign_members(list, authority.key_pem));
  TRY(write_cluster_file(ClusterPaths{directory}.members(), out.members_text));
  out.machine = made.facts.common_name;
  out.certificate_pem = made.pem + authority.own.authority_pem;
  out.authority_pem = authority.own.authority_pem;
  return out;
}

Result<std::string> choose_name(const Invite& invite, const CertificateRequest& request) {
  if (!invite.machine.empty() && !request.machine.empty() && invite.machine != request.machine) {
    return fail(Code::invalid_argument,
                fmt::format("this invite is for '{}', not for '{}'", invite.machine,
                            request.machine.substr(0, machine_name_bytes_max)));
  }
  std::string name = !invite.machine.empty()    ? invite.machine
                     : !request.machine.empty() ? request.machine
                                                : machine_name_of_host(request.host_name);
  TRY(check_machine_name(name));
  return name;
}

std::unexpected<Error> no_invite() {
  return fail(Code::permission, "the invite is used up or has expired: make another with hearth cluster invite");
}

}  // namespace

bool renewal_is_due(const net::CertificateFacts& certificate, std::chrono::sys_seconds now) {
  return certificate.expires - now <= (certificate.expires - certificate.not_before) / 3;
}

Result<> make_cluster(const fs::path& directory, const NewCluster& cluster,
                      std::chrono::sys_seconds now) {
  TRY(check_machine_name(cluster.machine));
  TRY(check_agent_address(cluster.address));
  if (cluster.cluster.empty() || cluster.cluster.size() > cluster_name_bytes_max) {
    return fail(Code::invalid_argument,
                fmt::format("a cluster's name has 1 to {} bytes", cluster_name_bytes_max));
  }
  TRY(check_no_cluster(directory));
  const std::string authority_key = TRY(net::make_private_key());
  const std::string authority = TRY(net::make_self_signed(
      authority_key, {.common_name = cluster.cluster.substr(0, 64),  // X.520's limit
                      .dns_names = {},
                      .serial = 1,
                      .not_before = now - clock_difference_max,
                      .expires = now + authority_certificate_time,
                      .is_authority = true,
                      .authority_domain = std::string(net::machine_domain)}));
  net::TlsIdentity own;
  own.private_key_pem = TRY(net::make_private_key());
  const std::string request = TRY(net::make_certificate_request(own.private_key_pem));
  const auto made = TRY(sign_for(cluster.machine, request, 2, authority, authority_key, now));
  own.certificate_pem = made.pem + authority;
  MemberList list;
  list.cluster = cluster.cluster;
  list.authority = cluster.machine;
  list.last_serial = 1;
  list = TRY(with_member(std::move(list), cluster.machine, cluster.address, made.facts));
  const std::string members = TRY(sign_members(list, authority_key));
  return make_folder(directory, {{"authority.pem", authority},
                                 {"authority.key.pem", authority_key},
                                 {"machine.pem", machine_file_text(own)},
                                 {"members.json", members}});
}

Result<JoinCode> invite_machine(const fs::path& directory, const InviteTerms& terms,
                                std::chrono::sys_seconds now) {
  const auto authority = TRY(load_authority(directory));
  if (terms.minutes == 0 || terms.minutes > invite_minutes_max) {
    return fail(Code::invalid_argument,
                fmt::format("--minutes {}: expected 1 to {}", terms.minutes, invite_minutes_max));
  }
  if (!terms.machine.empty()) {
    TRY(check_machine_name(terms.machine));
    if (authority.list.find(terms.machine) != nullptr) {
      return fail(Code::invalid_argument, fmt::format("the cluster has a machine '{}' already",
                                                      terms.machine));
    }
  }
  const Member* self = authority.list.find(authority.own.name);
  const std::string address =
      !terms.address.empty() || self == nullptr ? terms.address : self->address;
  if (address.empty()) {
    return fail(Code::invalid_argument,
                "an invite says where this machine's agent listens: --address HOST:PORT, such as "
                "--address studio.local:7070");
  }
  TRY(check_agent_address(address));
  const auto parsed = TRY(net::parse_address(address));
  const auto code = TRY(make_join_code(authority.own.name, parsed, authority.own.authority_pem));
  const Invite invite{TRY(invited_key_digest(code)), terms.machine,
                      now + std::chrono::minutes(terms.minutes)};
  TRY(add_invite(ClusterPaths{directory}.invites(), invite, now, *real_file_system()));
  return code;
}

Result<Issued> enrol_machine(const fs::path& directory, const net::CertificateFacts& invited,
                             const CertificateRequest& request, std::chrono::sys_seconds now) {
  const FolderLock lock = TRY(FolderLock::take(directory, Locked::members));
  const auto authority = TRY(load_authority(directory));
  const fs::path invites = ClusterPaths{directory}.invites();
  const auto invite = TRY(find_invite(invites, invited.public_key_sha256, now));
  if (!invite) return no_invite();
  const std::string name = TRY(choose_name(*invite, request));
  TRY(check_agent_address(request.address));
  const auto made = TRY(sign_for(name, request.request_pem, authority.list.last_serial + 1,
                                 authority.own.authority_pem, authority.key_pem, now));
  const auto list = TRY(with_member(authority.list, name, request.address, made.facts));
  const bool taken = TRY(take_invite(invites, invited.public_key_sha256));
  if (!taken) return no_invite();
  return publish(directory, authority, list, made);
}

Result<Issued> renew_machine(const fs::path& directory, const net::CertificateFacts& shown,
                             const CertificateRequest& request, std::chrono::sys_seconds now) {
  const FolderLock lock = TRY(FolderLock::take(directory, Locked::members));
  const auto authority = TRY(load_authority(directory));
  TRY(admit_by_list(authority.list, shown));
  TRY(check_agent_address(request.address));
  const auto made =
      TRY(sign_for(shown.common_name, request.request_pem, authority.list.last_serial + 1,
                   authority.own.authority_pem, authority.key_pem, now));
  const auto list = TRY(with_renewal(authority.list, shown, request.address, made.facts));
  return publish(directory, authority, list, made);
}

Result<std::string> remove_machine(const fs::path& directory, std::string_view name,
                                   std::chrono::sys_seconds now) {
  const FolderLock lock = TRY(FolderLock::take(directory, Locked::members));
  const auto authority = TRY(load_authority(directory));
  const auto list = TRY(without_member(authority.list, name, now));
  std::string text = TRY(sign_members(list, authority.key_pem));
  TRY(write_cluster_file(ClusterPaths{directory}.members(), text));
  return text;
}

}  // namespace hearth::node
