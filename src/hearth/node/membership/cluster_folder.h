#pragma once
// The directory that makes a machine a member of a cluster (mode 0700, files 0600):
//
//   authority.pem      the authority's certificate: whom this machine trusts
//   machine.pem        this machine's private key and certificate, one file so that a pair stays one
//   members.json       the signed member list, as last learned
//   authority.key.pem  on the authority's machine only: its private key
//   invites/           there too: open invites
//
// A folder appears whole (made beside its place, then renamed) and each file changes whole.
// Changes are made under the folder's lock, by whichever process makes them.

#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "hearth/base/file.h"
#include "hearth/net/tls.h"
#include "hearth/node/membership/members.h"

namespace hearth::node {

struct ClusterPaths {
  std::filesystem::path directory;
  std::filesystem::path authority() const { return directory / "authority.pem"; }
  std::filesystem::path authority_key() const { return directory / "authority.key.pem"; }
  std::filesystem::path machine() const { return directory / "machine.pem"; }
  std::filesystem::path members() const { return directory / "members.json"; }
  std::filesystem::path invites() const { return directory / "invites"; }
};

// invalid_argument when something is at `directory` already: nothing is ever overwritten.
Result<> check_no_cluster(const std::filesystem::path& directory);
// Makes the directory with these files in it. Of two who try, one succeeds.
Result<> make_folder(const std::filesystem::path& directory,
                     const std::vector<std::pair<std::string, std::string>>& files);

struct MachineIdentity {
  std::string name;
  net::CertificateFacts certificate;
  net::TlsIdentity tls;
  std::string authority_pem;
};
// not_found, with the remedy, where no cluster is; corrupt when key, certificate and authority do
// not belong together.
Result<MachineIdentity> load_identity(const std::filesystem::path& directory);
// The content of machine.pem.
std::string machine_file_text(const net::TlsIdentity& tls);

bool holds_authority(const std::filesystem::path& directory);

// Held while it lives. unavailable at once when another process or thread has it. The member list
// and this machine's identity each have one: a machine whose identity is being renewed may be the
// one that writes the list.
enum class Locked { members, identity };
class FolderLock {
 public:
  static Result<FolderLock> take(const std::filesystem::path& directory, Locked what);

 private:
  explicit FolderLock(FileDescriptor file) : file_(std::move(file)) {}
  FileDescriptor file_;
};

// The list on disk, its signature checked; and a new one in its place, durably.
Result<MemberList> load_members(const std::filesystem::path& directory,
                                std::string_view authority_pem);
Result<> write_cluster_file(const std::filesystem::path& path, std::string_view text);

}  // namespace hearth::node
