#include "hearth/node/membership/membership.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>

#include "hearth/base/log.h"
#include "hearth/node/membership/invites.h"
#include "hearth/node/membership/membership_routes.h"

namespace hearth::node {
namespace fs = std::filesystem;

std::chrono::sys_seconds system_time() {
  return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
}

Result<std::shared_ptr<ClusterMembership>> ClusterMembership::open(fs::path directory,
                                                                   WallClock now) {
  const std::shared_ptr<ClusterMembership> out(
      new ClusterMembership(std::move(directory), std::move(now)));
  const auto own = TRY(load_identity(out->directory_));
  out->machine_ = own.name;
  out->authority_pem_ = own.authority_pem;
  out->credentials_ = TRY(net::TlsCredentials::create(own.tls, own.authority_pem));
  out->identity_.with([&](HeldIdentity& held) { held.certificate = own.certificate; });
  TRY(out->members());
  return out;
}

net::CertificateFacts ClusterMembership::certificate() const {
  return identity_.with([](const HeldIdentity& held) { return held.certificate; });
}

Result<ClusterMembership::FileStamp> ClusterMembership::stamp_of(const fs::path& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return fail_errno("stat", path, errno);
#ifdef __APPLE__
  const timespec changed = info.st_ctimespec;
#else
  const timespec changed = info.st_ctim;
#endif
  return FileStamp{info.st_ino, std::int64_t{changed.tv_sec} * 1'000'000'000 + changed.tv_nsec,
                   static_cast<std::uint64_t>(info.st_size)};
}

Result<> ClusterMembership::refresh() {
  const FileStamp stamp = TRY(stamp_of(ClusterPaths{directory_}.machine()));
  return identity_.with([&](HeldIdentity& held) -> Result<> {
    if (held.stamp == stamp) return {};
    const auto own = TRY(load_identity(directory_));
    if (own.name != machine_ || own.authority_pem != authority_pem_) {
      return fail(Code::invalid_argument,
                  directory_.string() + " now belongs to another machine or cluster: start again");
    }
    TRY(credentials_->replace(own.tls));
    held = {stamp, own.certificate};
    return {};
  });
}

Result<std::shared_ptr<const ClusterMembership::SignedList>> ClusterMembership::members() const {
  const fs::path path = ClusterPaths{directory_}.members();
  const FileStamp stamp = TRY(stamp_of(path));
  return list_.with([&](HeldList& held) -> Result<std::shared_ptr<const SignedList>> {
    if (held.signed_list && held.stamp == stamp) return held.signed_list;
    auto fresh = std::make_shared<SignedList>();
    fresh->text = TRY(read_text_file(path, members_bytes_max));
    auto list = open_members(fresh->text, authority_pem_);
    if (!list) return std::unexpected(with_context(list.error(), path.string()));
    fresh->list = *std::move(list);
    held = {stamp, std::move(fresh)};
    return held.signed_list;
  });
}

Result<bool> ClusterMembership::take_members(std::string_view text) {
  const MemberList theirs = TRY(open_members(text, authority_pem_));
  const std::lock_guard hold(changing_);
  const auto ours = TRY(members());
  const bool newer = TRY(is_newer(theirs, ours->list));
  if (!newer) return false;
  const FolderLock lock = TRY(FolderLock::take(directory_, Locked::members));
  TRY(write_cluster_file(ClusterPaths{directory_}.members(), text));
  return true;
}

Result<> ClusterMembership::admit(const net::PeerIdentity& peer) {
  if (const auto refreshed = refresh(); !refreshed) log_warning(refreshed.error().message);
  if (peer.from_authority) return admit_server(peer);
  const auto invite = TRY(find_invite(ClusterPaths{directory_}.invites(),
                                      peer.certificate.public_key_sha256, now_()));
  if (invite) return {};
  return fail(Code::permission, "it is self-signed, and no open invite is for its key");
}

Result<> ClusterMembership::admit_server(const net::PeerIdentity& peer) const {
  const auto current = TRY(members());
  return admit_by_list(current->list, peer.certificate);
}

Result<> ClusterMembership::allow(const net::PeerIdentity& peer, std::string_view method,
                                  std::string_view path) const {
  if (peer.from_authority || (method == "POST" && path == enrol_path)) return {};
  return fail(Code::permission, "an invite lets in to enrolment only");
}

Result<Issued> ClusterMembership::enrol(const net::PeerIdentity& peer,
                                        const CertificateRequest& request) {
  if (peer.from_authority) {
    return fail(Code::invalid_argument,
                fmt::format("'{}' is a member already", peer.certificate.common_name));
  }
  const std::lock_guard hold(changing_);
  return enrol_machine(directory_, peer.certificate, request, now_());
}

Result<Issued> ClusterMembership::renew(const net::PeerIdentity& peer,
                                        const CertificateRequest& request) {
  if (!peer.from_authority) return fail(Code::permission, "an invite lets in to enrolment only");
  const std::lock_guard hold(changing_);
  return renew_machine(directory_, peer.certificate, request, now_());
}

Result<net::Address> agent_address(const Member& member) {
  if (member.address.empty()) {
    return fail(Code::invalid_argument,
                fmt::format("the cluster does not know where {} can be reached; name it with --address "
                            "HOST:PORT of hearth cluster init or hearth node join", member.name));
  }
  net::Address address = TRY(net::parse_address(member.address));
  address.tls = true;
  return address;
}

net::TlsServerOptions make_cluster_server_tls(std::shared_ptr<ClusterMembership> membership) {
  net::TlsServerOptions out;
  out.credentials = membership->credentials();
  out.ask_about_self_signed = holds_authority(membership->directory());
  out.admit = [membership](const net::PeerIdentity& peer) { return membership->admit(peer); };
  out.allow = [membership](const net::PeerIdentity& peer, std::string_view method,
                           std::string_view path) { return membership->allow(peer, method, path); };
  return out;
}

std::unique_ptr<net::HttpClient> make_cluster_client(std::shared_ptr<ClusterMembership> membership) {
  net::CurlClientOptions options;
  options.tls = membership->credentials();
  options.admit = [membership](const net::PeerIdentity& peer) { return membership->admit_server(peer); };
  return net::make_curl_client(std::move(options));
}

}  // namespace hearth::node
