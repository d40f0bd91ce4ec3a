#ifdef __linux__
#include "hearth/eval/sandbox/linux_root.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "hearth/base/file.h"

namespace hearth::eval {
namespace {

namespace fs = std::filesystem;

constexpr const char* base = "/tmp";  // hidden under the new root while that is made
constexpr const char* system_folders[] = {"usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32"};
constexpr const char* devices[] = {"null", "zero", "full", "random", "urandom"};
constexpr std::uint64_t root_spare_bytes = 1u << 20;

Result<> mount_at(const char* source, const fs::path& target, const char* type, unsigned long flags, const std::string& data) {
  if (::mount(source, target.c_str(), type, flags, data.c_str()) == 0) return {};
  return fail_errno(fmt::format("mount {} on", source), target, errno);
}

Result<> make_folder(const fs::path& path, mode_t mode) {
  if (::mkdir(path.c_str(), mode) == 0 || errno == EEXIST) return {};
  return fail_errno("make", path, errno);
}

// A view of `source` with everything below it, through which nothing can be written. What the
// mount already forbids has to be named again, or the kernel refuses.
Result<> bind(const fs::path& source, const fs::path& target, unsigned long extra) {
  TRY(mount_at(source.c_str(), target, nullptr, MS_BIND | MS_REC, ""));
#ifdef MOUNT_ATTR_RDONLY
  mount_attr attributes{};
  attributes.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | ((extra & MS_NODEV) != 0 ? MOUNT_ATTR_NODEV : 0);
  if (::mount_setattr(AT_FDCWD, target.c_str(), AT_RECURSIVE, &attributes, sizeof(attributes)) == 0) return {};
#endif
  struct statvfs view {};
  if (::statvfs(target.c_str(), &view) != 0) return fail_errno("look at", target, errno);
  unsigned long flags = MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | extra;
  if ((view.f_flag & ST_NODEV) != 0) flags |= MS_NODEV;
  if ((view.f_flag & ST_NOEXEC) != 0) flags |= MS_NOEXEC;
  if ((view.f_flag & ST_NOATIME) != 0) flags |= MS_NOATIME;
  if ((view.f_flag & ST_NODIRATIME) != 0) flags |= MS_NODIRATIME;
  if ((view.f_flag & ST_RELATIME) != 0) flags |= MS_RELATIME;
  return mount_at("none", target, nullptr, flags, "");
}

Result<> add_system_folder(const fs::path& root, const fs::path& name) {
  const fs::path source = "/" / name, target = root / name;
  std::error_code error;
  if (fs::is_symlink(source, error)) {
    const fs::path link = fs::read_symlink(source, error);
    if (::symlink(link.c_str(), target.c_str()) != 0) return fail_errno("make", target, errno);
    return {};
  }
  if (!fs::is_directory(source, error)) return {};
  TRY(make_folder(target, 0755));
  return bind(source, target, MS_NODEV);
}

// An interpreter outside /usr brings its installation: /opt/python/bin/python3 needs /opt/python.
Result<> add_interpreter(const fs::path& root, const fs::path& python) {
  const fs::path home = python.string().starts_with("/nix/store/") ? "/nix/store" : python.parent_path().parent_path();
  for (const char* folder : system_folders) {
    if (home.string().starts_with(fmt::format("/{}", folder))) return {};
  }
  fs::path target = root;
  for (const fs::path& part : home.relative_path()) {
    target /= part;
    TRY(make_folder(target, 0755));
  }
  return bind(home, target, MS_NODEV);
}

Result<> add_file(const fs::path& path, std::string_view text) {
  const FileDescriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444));
  if (!file.valid()) return fail_errno("create", path, errno);
  while (!text.empty()) {
    const ssize_t count = ::write(file.get(), text.data(), text.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return fail_errno("write", path, errno);
    text.remove_prefix(static_cast<std::size_t>(count));
  }
  return {};
}

Result<> add_devices(const fs::path& root) {
  TRY(make_folder(root / "dev", 0755));
  for (const char* name : devices) {
    const fs::path source = fs::path("/dev") / name, target = root / "dev" / name;
    if (::access(source.c_str(), F_OK) != 0) continue;
    TRY(add_file(target, ""));
    TRY(bind(source, target, 0));
  }
  return {};
}

}  // namespace

Result<> enter_confined_root(const SandboxJob& job) {
  const fs::path root = base;
  std::uint64_t bytes = root_spare_bytes;
  for (const SandboxFile& file : job.request.files) bytes += 2 * file.text.size();
  TRY(mount_at("none", "/", nullptr, MS_REC | MS_PRIVATE, ""));
  TRY(mount_at("tmpfs", root, "tmpfs", MS_NOSUID | MS_NODEV, fmt::format("size={},nr_inodes=4096,mode=0755", bytes)));
  for (const char* folder : system_folders) TRY(add_system_folder(root, folder));
  TRY(add_interpreter(root, job.python));
  TRY(add_devices(root));
  TRY(make_folder(root / "job", 0755));
  for (const SandboxFile& file : job.request.files) TRY(add_file(root / "job" / file.name, file.text));
  TRY(make_folder(root / "tmp", 0755));
  TRY(mount_at("tmpfs", root / "tmp", "tmpfs", MS_NOSUID | MS_NODEV,
               fmt::format("size={},nr_inodes=1024,mode=1777", job.request.limits.disk_bytes)));
  if (::chdir(base) != 0 || ::syscall(SYS_pivot_root, ".", ".") != 0) return fail_errno("make the root of", root, errno);
  if (::umount2(".", MNT_DETACH) != 0 || ::chdir("/") != 0) return fail_errno("leave the old root for", root, errno);
  TRY(mount_at("none", "/", nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV, ""));
  if (::chdir("/job") != 0) return fail_errno("enter", "/job", errno);
  return {};
}

}  // namespace hearth::eval
#endif
