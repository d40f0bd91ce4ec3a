#pragma once
// A machine's membership while a program runs: its identity, whom it admits, and the list as it
// is now. Commands change the folder's files beside it; each handshake looks whether they did.
// Thread-safe.

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "hearth/base/guarded.h"
#include "hearth/net/http_client.h"
#include "hearth/net/tls.h"
#include "hearth/node/membership/authority.h"
#include "hearth/node/membership/cluster_folder.h"

namespace hearth::node {

using WallClock = std::function<std::chrono::sys_seconds()>;
std::chrono::sys_seconds system_time();

class ClusterMembership {
 public:
  static Result<std::shared_ptr<ClusterMembership>> open(std::filesystem::path directory,
                                                         WallClock now = system_time);

  const std::string& machine() const { return machine_; }
  const std::filesystem::path& directory() const { return directory_; }
  std::chrono::sys_seconds now() const { return now_(); }
  const std::shared_ptr<net::TlsCredentials>& credentials() const { return credentials_; }
  // This machine's certificate, as last read.
  net::CertificateFacts certificate() const;
  // Takes a machine.pem that was written meanwhile into use.
  Result<> refresh();

  struct SignedList {
    MemberList list;
    std::string text;
  };
  Result<std::shared_ptr<const SignedList>> members() const;
  // True when `text` is signed and newer, and is now the one in force.
  Result<bool> take_members(std::string_view text);

  // Whom to let in, and to what: members to everything, holders of an invite to enrolment only.
  // A list that cannot be read admits nobody.
  Result<> admit(const net::PeerIdentity& peer);
  // Whom to ask: members.
  Result<> admit_server(const net::PeerIdentity& peer) const;
  Result<> allow(const net::PeerIdentity& peer, std::string_view method,
                 std::string_view path) const;

  // On the authority's machine (unsupported elsewhere).
  Result<Issued> enrol(const net::PeerIdentity& peer, const CertificateRequest& request);
  Result<Issued> renew(const net::PeerIdentity& peer, const CertificateRequest& request);

 private:
  struct FileStamp {
    std::uint64_t inode = 0;
    std::int64_t changed_ns = 0;
    std::uint64_t bytes = 0;
    bool operator==(const FileStamp&) const = default;
  };
  struct HeldIdentity {
    FileStamp stamp;
    net::CertificateFacts certificate;
  };
  struct HeldList {
    FileStamp stamp;
    std::shared_ptr<const SignedList> signed_list;
  };
  ClusterMembership(std::filesystem::path directory, WallClock now)
      : directory_(std::move(directory)), now_(std::move(now)) {}
  static Result<FileStamp> stamp_of(const std::filesystem::path& path);

  const std::filesystem::path directory_;
  const WallClock now_;
  std::string machine_;
  std::string authority_pem_;
  std::shared_ptr<net::TlsCredentials> credentials_;
  Guarded<HeldIdentity> identity_;
  mutable Guarded<HeldList> list_;
  std::mutex changing_;  // one change of ours at a time; FolderLock is for other processes
};

// Where a member's agent listens, with TLS. invalid_argument: the list does not say.
Result<net::Address> agent_address(const Member& member);

// For HttpServerOptions::tls of whatever serves the cluster's machines.
net::TlsServerOptions make_cluster_server_tls(std::shared_ptr<ClusterMembership> membership);
// A client that shows this machine's certificate and talks to members only. Its requests name their machine.
std::unique_ptr<net::HttpClient> make_cluster_client(std::shared_ptr<ClusterMembership> membership);

}  // namespace hearth::node
