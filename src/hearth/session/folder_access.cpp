#include "hearth/session/folder_access.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>

namespace hearth::session {
namespace {

constexpr int folder_flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;

std::unexpected<Error> fail_open(std::string_view path, int error_number) {
  if (error_number == ELOOP || error_number == ENOTDIR) {
    return fail(Code::invalid_argument,
                fmt::format("{}: is a link, or a link is on the way; put the file itself there", path));
  }
  return fail_errno("open", std::filesystem::path(path), error_number);
}

Result<FileDescriptor> enter(int folder, const std::string& name, bool create, std::string_view path) {
  if (create && ::mkdirat(folder, name.c_str(), 0700) != 0 && errno != EEXIST) {
    return fail_errno("create folder for", std::filesystem::path(path), errno);
  }
  FileDescriptor out(::openat(folder, name.c_str(), folder_flags | O_NOFOLLOW));
  if (!out.valid()) return fail_open(path, errno);
  return out;
}

Result<> write_all(int fd, std::string_view text, std::string_view path) {
  while (!text.empty()) {
    const ssize_t written = ::write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return fail_errno("write", std::filesystem::path(path), errno);
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

}  // namespace

Result<FileDescriptor> open_folder(const std::filesystem::path& folder) {
  FileDescriptor out(::open(folder.c_str(), folder_flags));
  if (!out.valid()) return fail_errno("open folder", folder, errno);
  return out;
}

Result<Place> open_place(int folder, std::string_view path, bool create) {
  Place place{FileDescriptor(::fcntl(folder, F_DUPFD_CLOEXEC, 0)), {}};
  if (!place.folder.valid()) return fail_errno("open", std::filesystem::path(path), errno);
  std::string_view rest = path;
  for (std::size_t slash = 0; (slash = rest.find('/')) != std::string_view::npos; rest.remove_prefix(slash + 1)) {
    place.folder = TRY(enter(place.folder.get(), std::string(rest.substr(0, slash)), create, path));
  }
  place.name = rest;
  return place;
}

Result<std::string> read_beneath(int folder, std::string_view path, std::size_t bytes_max) {
  const Place place = TRY(open_place(folder, path, /*create=*/false));
  // Without O_NONBLOCK a named pipe would wait for its writer.
  const FileDescriptor file(
      ::openat(place.folder.get(), place.name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!file.valid()) return fail_open(path, errno);
  struct stat info {};
  if (::fstat(file.get(), &info) != 0) return fail_errno("stat", std::filesystem::path(path), errno);
  if (!S_ISREG(info.st_mode)) {
    return fail(Code::invalid_argument, fmt::format("{}: is not a regular file; move it out of the folder", path));
  }
  if (info.st_nlink > 1) {
    return fail(Code::invalid_argument,
                fmt::format("{}: has a second name (hard link), so it can change from elsewhere; put a copy there", path));
  }
  const auto size = static_cast<std::uint64_t>(info.st_size);
  if (size > bytes_max) {
    return fail(Code::resource_exhausted,
                fmt::format("{}: {} bytes, a memory file has at most {}; split it, or move it out of the folder",
                            path, size, bytes_max));
  }
  std::string out(size, '\0');
  std::size_t filled = 0;
  while (filled < out.size()) {
    const ssize_t got = ::read(file.get(), out.data() + filled, out.size() - filled);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno("read", std::filesystem::path(path), errno);
    if (got == 0) break;  // shortened meanwhile: the next reading will differ
    filled += static_cast<std::size_t>(got);
  }
  out.resize(filled);
  return out;
}

std::string temporary_name(std::string_view name) {
  static std::atomic<unsigned> counter{0};
  return fmt::format(".{}.{}.{}.tmp", name, ::getpid(), counter++);
}

Result<> write_new(int folder, const std::string& name, std::string_view text, std::string_view path) {
  const FileDescriptor file(::openat(folder, name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file.valid()) return fail_errno("create", std::filesystem::path(path), errno);
  TRY(write_all(file.get(), text, path));
  if (::fsync(file.get()) != 0) return fail_errno("sync", std::filesystem::path(path), errno);
  return {};
}

Result<> write_beneath(int folder, std::string_view path, std::string_view text) {
  const Place place = TRY(open_place(folder, path, /*create=*/true));
  const std::string temporary = temporary_name(place.name);
  if (auto written = write_new(place.folder.get(), temporary, text, path); !written) {
    ::unlinkat(place.folder.get(), temporary.c_str(), 0);
    return written;
  }
  if (::renameat(place.folder.get(), temporary.c_str(), place.folder.get(), place.name.c_str()) != 0) {
    const int error_number = errno;
    ::unlinkat(place.folder.get(), temporary.c_str(), 0);
    return fail_errno("rename to", std::filesystem::path(path), error_number);
  }
  if (::fsync(place.folder.get()) != 0) return fail_errno("sync folder of", std::filesystem::path(path), errno);
  return {};
}

void remove_empty_folders(int folder, std::string_view path) {
  for (std::size_t slash = 0; (slash = path.rfind('/')) != std::string_view::npos;) {
    path = path.substr(0, slash);
    const auto place = open_place(folder, path, /*create=*/false);
    if (!place || ::unlinkat(place->folder.get(), place->name.c_str(), AT_REMOVEDIR) != 0) return;
  }
}

}  // namespace hearth::session
