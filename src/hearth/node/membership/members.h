#pragma once
// Who belongs to the cluster, who was removed, and what that means for a certificate. The machine
// with the authority's key writes the list and signs it; the others take any list that is signed
// and newer than theirs, from whomever it comes. Values and pure functions.
//
// Text of a list: one line of JSON, then {"signature":"…"} over "hearth members 1\n" and that
// line (docs/cluster_security.md).

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "hearth/base/json.h"
#include "hearth/base/result.h"
#include "hearth/net/peer_identity.h"

namespace hearth::node {

inline constexpr std::size_t members_max = 256;
inline constexpr std::size_t removed_max = 1024;
inline constexpr std::size_t members_bytes_max = 1u << 20;
// The one in use, and the one before it for whoever still shows it while certificates rotate.
inline constexpr std::size_t certificates_per_member_max = 2;

struct IssuedCertificate {
  std::uint64_t serial = 0;
  std::string certificate_sha256;
  std::string public_key_sha256;
  std::chrono::sys_seconds expires{};
  bool operator==(const IssuedCertificate&) const = default;
};

struct Member {
  std::string name;
  std::string address;  // where its agent listens, "host:port"; empty: not known
  std::vector<IssuedCertificate> certificates;  // newest first
  bool operator==(const Member&) const = default;
};

// No certificate of that name up to that serial is good any more.
struct RemovedMember {
  std::string name;
  std::uint64_t serial_max = 0;
  std::string certificate_sha256;  // of the newest
  std::chrono::sys_seconds expires{};  // when the last of them ends by itself
  bool operator==(const RemovedMember&) const = default;
};

struct MemberList {
  std::string cluster;    // for people
  std::string authority;  // the machine that signs
  std::uint64_t version = 0;      // grows with each change
  std::uint64_t last_serial = 0;  // of all certificates so far
  std::vector<Member> members;
  std::vector<RemovedMember> removed;
  const Member* find(std::string_view name) const;
  bool operator==(const MemberList&) const = default;
};

Json to_json(const MemberList& list);
// invalid_argument with the field's path.
Result<MemberList> parse_members(std::string_view json);

Result<std::string> sign_members(const MemberList& list, std::string_view authority_key_pem);
// corrupt when the signature is not the authority's.
Result<MemberList> open_members(std::string_view text, std::string_view authority_pem);

// Whether `theirs` replaces `ours`. corrupt when one version number has two contents: the
// authority's key was used in two places.
Result<bool> is_newer(const MemberList& theirs, const MemberList& ours);

// permission, and why, unless the certificate (which the authority has signed) is good by this list:
// one of a member's pinned ones, or issued after the list was written.
Result<> admit_by_list(const MemberList& list, const net::CertificateFacts& certificate);

// Changes, each the next version. `now` lets go of removals whose certificates have expired.
Result<MemberList> with_member(MemberList list, std::string name, std::string address,
                               const net::CertificateFacts& certificate);
// Of the earlier certificates only the one that was shown stays good: its owner may never receive
// the new one, and asks again with it.
Result<MemberList> with_renewal(MemberList list, const net::CertificateFacts& shown,
                                std::string address, const net::CertificateFacts& certificate);
Result<MemberList> without_member(MemberList list, std::string_view name,
                                  std::chrono::sys_seconds now);

}  // namespace hearth::node
