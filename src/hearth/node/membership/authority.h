#pragma once
// What the machine with the authority's key does: make the cluster, invite, certify, renew,
// remove. Functions over the cluster's folder, each one change under its lock, so that commands
// and a running agent may both call them. Times are parameters.

#include <chrono>
#include <filesystem>
#include <string>

#include "hearth/net/peer_identity.h"
#include "hearth/node/membership/join_code.h"
#include "hearth/node/membership/members.h"

namespace hearth::node {

inline constexpr std::chrono::days machine_certificate_time{90};
inline constexpr std::chrono::days authority_certificate_time{3650};
// Certificates begin this much before they are made: clocks differ.
inline constexpr std::chrono::days clock_difference_max{1};
inline constexpr std::uint32_t invite_minutes_max = 7 * 24 * 60;

// True when a third of the certificate's time, or less, is left.
bool renewal_is_due(const net::CertificateFacts& certificate, std::chrono::sys_seconds now);

struct NewCluster {
  std::string cluster;  // for people, at most 100 bytes
  std::string machine;  // this machine's name in it
  std::string address;  // "host:port" where its agent will listen; may be empty
};
// Makes the authority, this machine's identity and the first member list.
Result<> make_cluster(const std::filesystem::path& directory, const NewCluster& cluster,
                      std::chrono::sys_seconds now);

struct InviteTerms {
  std::string machine;  // who may join by it; empty: any free name
  std::uint32_t minutes = 10;
  std::string address;  // empty: this machine's, as the member list has it
};
Result<JoinCode> invite_machine(const std::filesystem::path& directory, const InviteTerms& terms,
                                std::chrono::sys_seconds now);

struct CertificateRequest {
  std::string request_pem;
  std::string machine;    // the wanted name; empty: the invite's, or one made of host_name
  std::string host_name;
  std::string address;    // where its agent listens; empty: not known
};
struct Issued {
  std::string machine;
  std::string certificate_pem;  // with the authority's behind it
  std::string authority_pem;
  std::string members_text;
};
// For the holder of an invite's key. permission without an open invite. What can be refused is
// refused before the invite is used up; afterwards it is gone, also if the answer gets lost.
Result<Issued> enrol_machine(const std::filesystem::path& directory,
                             const net::CertificateFacts& invited,
                             const CertificateRequest& request, std::chrono::sys_seconds now);
// For a member that shows a good certificate: a new one of the same name.
Result<Issued> renew_machine(const std::filesystem::path& directory,
                             const net::CertificateFacts& shown, const CertificateRequest& request,
                             std::chrono::sys_seconds now);
// The new list's text.
Result<std::string> remove_machine(const std::filesystem::path& directory, std::string_view name,
                                   std::chrono::sys_seconds now);

}  // namespace hearth::node
