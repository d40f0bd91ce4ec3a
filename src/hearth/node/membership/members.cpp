#include "hearth/node/membership/members.h"

#include <fmt/format.h>

#include <algorithm>

#include "hearth/node/membership/machine_name.h"

namespace hearth::node {
namespace {

Member* find_member(MemberList& list, std::string_view name) {
  const auto found = std::ranges::find(list.members, name, &Member::name);
  return found == list.members.end() ? nullptr : &*found;
}

IssuedCertificate issued(const net::CertificateFacts& facts) {
  return {facts.serial, facts.certificate_sha256, facts.public_key_sha256, facts.expires};
}

std::unexpected<Error> refuse(const net::CertificateFacts& certificate, std::string_view why) {
  return fail(Code::permission, fmt::format("'{}' {}", certificate.common_name, why));
}

std::unexpected<Error> no_member(std::string_view name) {
  return fail(Code::not_found, fmt::format("'{}' is no member of the cluster; hearth cluster ls "
                                           "shows who is", name));
}

}  // namespace

const Member* MemberList::find(std::string_view name) const {
  const auto found = std::ranges::find(members, name, &Member::name);
  return found == members.end() ? nullptr : &*found;
}

Result<bool> is_newer(const MemberList& theirs, const MemberList& ours) {
  if (theirs.version != ours.version) return theirs.version > ours.version;
  if (theirs == ours) return false;
  return fail(Code::corrupt,
              fmt::format("two member lists of version {} differ: the authority's key has been used "
                          "in two places (a restored copy?)", ours.version));
}

Result<> admit_by_list(const MemberList& list, const net::CertificateFacts& certificate) {
  for (const RemovedMember& gone : list.removed) {
    if (gone.name == certificate.common_name && certificate.serial <= gone.serial_max) {
      return refuse(certificate, "was removed from the cluster");
    }
  }
  if (certificate.serial > list.last_serial) return {};  // newer than the list
  const Member* member = list.find(certificate.common_name);
  if (member == nullptr) return refuse(certificate, "is no member of the cluster");
  for (const IssuedCertificate& pinned : member->certificates) {
    if (pinned.certificate_sha256 == certificate.certificate_sha256) return {};
  }
  return refuse(certificate, "shows a certificate that was replaced");
}

Result<MemberList> with_member(MemberList list, std::string name, std::string address,
                               const net::CertificateFacts& certificate) {
  TRY(check_machine_name(name));
  if (list.find(name) != nullptr) {
    return fail(Code::invalid_argument,
                fmt::format("the cluster has a machine '{}' already: choose another name with --name, "
                            "or remove that one with: hearth cluster remove {}", name, name));
  }
  if (list.members.size() >= members_max) {
    return fail(Code::resource_exhausted,
                fmt::format("the cluster has {} members, the most it takes", members_max));
  }
  list.members.push_back({std::move(name), std::move(address), {issued(certificate)}});
  list.last_serial = std::max(list.last_serial, certificate.serial);
  ++list.version;
  return list;
}

Result<MemberList> with_renewal(MemberList list, const net::CertificateFacts& shown,
                                std::string address, const net::CertificateFacts& certificate) {
  Member* member = find_member(list, shown.common_name);
  if (member == nullptr) return no_member(shown.common_name);
  member->certificates = {issued(certificate), issued(shown)};
  if (!address.empty()) member->address = std::move(address);
  list.last_serial = std::max(list.last_serial, certificate.serial);
  ++list.version;
  return list;
}

Result<MemberList> without_member(MemberList list, std::string_view name,
                                  std::chrono::sys_seconds now) {
  const Member* member = list.find(name);
  if (member == nullptr) return no_member(name);
  if (name == list.authority) {
    return fail(Code::invalid_argument,
                fmt::format("'{}' holds the cluster's authority and cannot be removed", name));
  }
  std::erase_if(list.removed, [&](const RemovedMember& gone) { return gone.expires < now; });
  if (list.removed.size() >= removed_max) {
    return fail(Code::resource_exhausted,
                fmt::format("{} removals are remembered until their certificates expire, the most "
                            "this cluster takes", removed_max));
  }
  RemovedMember gone{member->name, list.last_serial, {}, {}};
  for (const IssuedCertificate& held : member->certificates) {
    if (gone.certificate_sha256.empty()) gone.certificate_sha256 = held.certificate_sha256;
    gone.expires = std::max(gone.expires, held.expires);
  }
  std::erase_if(list.members, [&](const Member& one) { return one.name == name; });
  list.removed.push_back(std::move(gone));
  ++list.version;
  return list;
}

}  // namespace hearth::node
