#include "hearth/base/file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>

namespace hearth {
namespace fs = std::filesystem;
namespace {

Code code_of_errno(int error_number) {
  switch (error_number) {
    case ENOENT: return Code::not_found;
    case EACCES:
    case EPERM:
    case EROFS: return Code::permission;
    case ENOSPC:
    case EDQUOT:
    case EMFILE:
    case ENFILE:
    case ENOMEM: return Code::resource_exhausted;
    default: return Code::unavailable;
  }
}

Result<> write_all(int fd, ByteSpan bytes, const fs::path& path) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return fail_errno("write", path, errno);
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
  return {};
}

// Unique among processes and threads, and recognisable as left-over by whoever cleans up.
fs::path temporary_neighbour(const fs::path& path) {
  static std::atomic<unsigned> counter{0};
  return path.parent_path() /
         fmt::format("{}.{}.{}.tmp", path.filename().string(), ::getpid(), counter++);
}

class RealFileSystem final : public FileSystem {
 public:
  Result<> write_atomically(const fs::path& path, std::span<const ByteSpan> parts,
                            Durability durability) override {
    const fs::path temporary = temporary_neighbour(path);
    if (auto written = write_parts(temporary, parts, durability); !written) {
      ::unlink(temporary.c_str());
      return written;
    }
    if (::rename(temporary.c_str(), path.c_str()) != 0) {
      const int error_number = errno;
      ::unlink(temporary.c_str());
      return fail_errno("rename to", path, error_number);
    }
    if (durability == Durability::survives_power_loss) return sync_directory(path.has_parent_path() ? path.parent_path() : fs::path("."));
    return {};
  }

  Result<> remove(const fs::path& path) override {
    if (::unlink(path.c_str()) != 0 && errno != ENOENT) return fail_errno("remove", path, errno);
    return {};
  }

  Result<> create_directories(const fs::path& path) override {
    std::error_code error;
    fs::create_directories(path, error);
    if (error) return fail_errno("create directory", path, error.value());
    return {};
  }

 private:
  static Result<> write_parts(const fs::path& path, std::span<const ByteSpan> parts,
                              Durability durability) {
    const FileDescriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!file.valid()) return fail_errno("create", path, errno);
    for (const ByteSpan part : parts) TRY(write_all(file.get(), part, path));
    if (durability == Durability::survives_power_loss && ::fsync(file.get()) != 0) {
      return fail_errno("sync", path, errno);
    }
    return {};
  }

  static Result<> sync_directory(const fs::path& path) {
    const FileDescriptor directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!directory.valid()) return fail_errno("open", path, errno);
    if (::fsync(directory.get()) != 0) return fail_errno("sync", path, errno);
    return {};
  }
};

}  // namespace

FileDescriptor& FileDescriptor::operator=(FileDescriptor&& other) noexcept {
  if (this != &other) {
    close();
    fd_ = other.fd_;
    other.fd_ = -1;
  }
  return *this;
}

void FileDescriptor::close() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

std::unexpected<Error> fail_errno(std::string_view operation, const fs::path& path,
                                  int error_number, std::source_location where) {
  return fail(code_of_errno(error_number),
              fmt::format("{} {}: {}", operation, path.string(), std::strerror(error_number)),
              where);
}

Result<ReadableFile> ReadableFile::open(const fs::path& path) {
  ReadableFile file;
  file.path_ = path;
  file.fd_ = FileDescriptor(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.fd_.valid()) return fail_errno("open", path, errno);
  struct stat info {};
  if (::fstat(file.fd_.get(), &info) != 0) return fail_errno("stat", path, errno);
  if (!S_ISREG(info.st_mode)) {
    return fail(Code::invalid_argument, fmt::format("{} is not a regular file", path.string()));
  }
  file.size_bytes_ = static_cast<std::uint64_t>(info.st_size);
  return file;
}

Result<> ReadableFile::read_at(std::uint64_t offset, std::span<std::byte> out) const {
  while (!out.empty()) {
    const ssize_t got = ::pread(fd_.get(), out.data(), out.size(), static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno("read", path_, errno);
    if (got == 0) {
      return fail(Code::corrupt, fmt::format("{} ends at offset {}, {} more bytes expected",
                                             path_.string(), offset, out.size()));
    }
    out = out.subspan(static_cast<std::size_t>(got));
    offset += static_cast<std::uint64_t>(got);
  }
  return {};
}

Result<Bytes> read_file(const fs::path& path, std::uint64_t bytes_max) {
  const ReadableFile file = TRY(ReadableFile::open(path));
  if (file.size_bytes() > bytes_max) {
    return fail(Code::resource_exhausted,
                fmt::format("{} has {} bytes; at most {} are read", path.string(),
                            file.size_bytes(), bytes_max));
  }
  Bytes bytes(static_cast<std::size_t>(file.size_bytes()));
  TRY(file.read_at(0, bytes));
  return bytes;
}

Result<std::string> read_text_file(const fs::path& path, std::uint64_t bytes_max) {
  const Bytes bytes = TRY(read_file(path, bytes_max));
  return std::string(as_text(bytes));
}

std::unique_ptr<FileSystem> real_file_system() { return std::make_unique<RealFileSystem>(); }

Result<TemporaryDirectory> TemporaryDirectory::create(std::string_view name_prefix) {
  std::error_code error;
  const fs::path base = fs::temp_directory_path(error);
  if (error) return fail(Code::unavailable, "no directory for temporary files (see TMPDIR)");
  std::string name = (base / fmt::format("{}-XXXXXX", name_prefix)).string();
  if (::mkdtemp(name.data()) == nullptr) return fail_errno("create directory", name, errno);
  return TemporaryDirectory(name);
}

TemporaryDirectory::~TemporaryDirectory() {
  if (path_.empty()) return;
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

}  // namespace hearth
