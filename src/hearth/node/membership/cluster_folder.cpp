#include "hearth/node/membership/cluster_folder.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "hearth/base/file_lock.h"
#include "hearth/net/x509.h"
#include "hearth/node/membership/machine_name.h"

namespace hearth::node {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view certificate_mark = "-----BEGIN CERTIFICATE";

Result<> check_private(const fs::path& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return fail_errno("stat", path, errno);
  if ((info.st_mode & (S_IRWXG | S_IRWXO)) == 0) return {};
  return fail(Code::permission,
              fmt::format("{} holds a private key and others may read it; mend it with: chmod 600 {}",
                          path.string(), path.string()));
}

}  // namespace

Result<> check_no_cluster(const fs::path& directory) {
  std::error_code ignored;
  if (!fs::exists(directory, ignored)) return {};
  if (fs::is_directory(directory, ignored) && fs::is_empty(directory, ignored)) return {};
  return fail(Code::invalid_argument,
              fmt::format("{} is there already and is not overwritten: this machine belongs to a "
                          "cluster; name another place with --dir, or remove it to leave that cluster",
                          directory.string()));
}

Result<> make_folder(const fs::path& directory,
                     const std::vector<std::pair<std::string, std::string>>& files) {
  TRY(check_no_cluster(directory));
  const auto disk = real_file_system();
  const fs::path target = fs::absolute(directory).lexically_normal();
  TRY(disk->create_directories(target.parent_path()));
  std::string beside = (target.parent_path() / ("." + target.filename().string() + "-XXXXXX")).string();
  if (::mkdtemp(beside.data()) == nullptr) return fail_errno("create directory", beside, errno);
  const auto fill = [&]() -> Result<> {
    for (const auto& [name, text] : files) TRY(write_cluster_file(fs::path(beside) / name, text));
    if (::rename(beside.c_str(), target.c_str()) == 0) return {};
    return fail_errno("rename to", target, errno);
  };
  auto done = fill();
  std::error_code ignored;
  if (!done) fs::remove_all(beside, ignored);
  return done;
}

std::string machine_file_text(const net::TlsIdentity& tls) {
  return tls.private_key_pem + tls.certificate_pem;
}

Result<MachineIdentity> load_identity(const fs::path& directory) {
  const ClusterPaths paths{directory};
  std::error_code ignored;
  if (!fs::exists(paths.machine(), ignored)) {
    return fail(Code::not_found,
                fmt::format("this machine belongs to no cluster (looked in {}): make one with "
                            "hearth cluster init, or join one with hearth node join CODE",
                            directory.string()));
  }
  TRY(check_private(paths.machine()));
  MachineIdentity out;
  const std::string text = TRY(read_text_file(paths.machine(), net::pem_bytes_max));
  const auto begin = text.find(certificate_mark);
  if (begin == text.npos) {
    return fail(Code::corrupt, paths.machine().string() + " holds no certificate");
  }
  out.tls = {text.substr(begin), text.substr(0, begin)};
  out.authority_pem = TRY(read_text_file(paths.authority(), net::pem_bytes_max));
  const auto checked = [&]() -> Result<> {
    out.certificate = TRY(net::read_certificate(out.tls.certificate_pem));
    TRY(net::check_key_of(out.tls.certificate_pem, out.tls.private_key_pem));
    TRY(net::check_signed_by(out.tls.certificate_pem, out.authority_pem));
    return check_machine_name(out.certificate.common_name);
  }();
  if (!checked) {
    return fail(Code::corrupt,
                with_context(checked.error(), paths.machine().string()).message);
  }
  out.name = out.certificate.common_name;
  return out;
}

bool holds_authority(const fs::path& directory) {
  std::error_code ignored;
  return fs::exists(ClusterPaths{directory}.authority_key(), ignored);
}

Result<FolderLock> FolderLock::take(const fs::path& directory, Locked what) {
  const fs::path path =
      directory / (what == Locked::members ? "members.lock" : "identity.lock");
  FileDescriptor file =
      TRY(lock_file(path, directory.string() + " is being changed by another hearth; try again"));
  return FolderLock(std::move(file));
}

Result<MemberList> load_members(const fs::path& directory, std::string_view authority_pem) {
  const fs::path path = ClusterPaths{directory}.members();
  const std::string text = TRY(read_text_file(path, members_bytes_max));
  auto list = open_members(text, authority_pem);
  if (!list) return std::unexpected(with_context(list.error(), path.string()));
  return list;
}

Result<> write_cluster_file(const fs::path& path, std::string_view text) {
  const ByteSpan bytes = as_byte_span(text);
  return real_file_system()->write_atomically(path, {&bytes, 1}, Durability::survives_power_loss);
}

}  // namespace hearth::node
