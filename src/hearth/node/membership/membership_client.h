#pragma once
// The asking side: join, renew, tell others. Thread-safe as far as the objects they are given are.

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "hearth/base/clock.h"
#include "hearth/base/stop.h"
#include "hearth/node/membership/join_code.h"
#include "hearth/node/membership/membership.h"

namespace hearth::node {

struct JoinOptions {
  std::filesystem::path directory;  // where the cluster's files will be; must not be there yet
  std::string machine;    // the wanted name; empty: the invite's, or one made of host_name
  std::string host_name;
  std::string address;    // "host:port" where this machine's agent will listen; may be empty
};
// Enrols this machine. Nothing is written unless everything was right. permission: the invite is
// not open (any more), or who answers is not the cluster's machine.
Result<MemberList> join_cluster(const JoinCode& code, const JoinOptions& options, Deadline deadline,
                                const StopToken& stop);

// A new key and certificate for this machine, from the authority (or by itself, where it holds
// it), written and taken into use. `at` overrides the authority's address in the member list.
Result<net::CertificateFacts> renew_certificate(ClusterMembership& membership,
                                                net::HttpClient& client, const std::string& at,
                                                Deadline deadline, const StopToken& stop);
// What an agent calls now and then (each hour): renews when a third of the time is left.
Result<bool> renew_if_due(ClusterMembership& membership, net::HttpClient& client, Deadline deadline,
                          const StopToken& stop);

// Gives the list to every member whose address is known; one result a machine.
struct Told {
  std::string machine;
  std::optional<Error> error;  // nothing: it has this list, or a newer one
};
std::vector<Told> tell_members(const ClusterMembership& membership, net::HttpClient& client,
                               Duration time_max_each, const StopToken& stop);
// Asks one machine for its list. True when it was newer and is now in force here.
Result<bool> fetch_members(ClusterMembership& membership, net::HttpClient& client,
                           std::string_view machine, Deadline deadline, const StopToken& stop);

}  // namespace hearth::node
