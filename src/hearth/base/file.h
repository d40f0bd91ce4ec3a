#pragma once
// Files, the safe way: reads are bounded, writes are all or nothing. Errors name the path and
// what the operating system said. Thread-safe as far as the file system is.

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "hearth/base/bytes.h"
#include "hearth/base/result.h"

namespace hearth {

// Owns a file descriptor.
class FileDescriptor {
 public:
  FileDescriptor() = default;
  explicit FileDescriptor(int fd) : fd_(fd) {}
  FileDescriptor(FileDescriptor&& other) noexcept : fd_(other.fd_) { other.fd_ = -1; }
  FileDescriptor& operator=(FileDescriptor&& other) noexcept;
  ~FileDescriptor() { close(); }
  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }
  void close();

 private:
  int fd_ = -1;
};

// An Error from errno, with the operation and the path: "open /x/y: No such file or directory".
std::unexpected<Error> fail_errno(std::string_view operation, const std::filesystem::path& path,
                                  int error_number,
                                  std::source_location where = std::source_location::current());

// A file open for reading at any offset.
class ReadableFile {
 public:
  static Result<ReadableFile> open(const std::filesystem::path& path);
  std::uint64_t size_bytes() const { return size_bytes_; }
  const std::filesystem::path& path() const { return path_; }
  // Fills all of `out` from `offset`, or fails (corrupt when the file ends first).
  Result<> read_at(std::uint64_t offset, std::span<std::byte> out) const;
  int descriptor() const { return fd_.get(); }

 private:
  FileDescriptor fd_;
  std::filesystem::path path_;
  std::uint64_t size_bytes_ = 0;
};

// Whole file; resource_exhausted when it is larger than `bytes_max`.
Result<Bytes> read_file(const std::filesystem::path& path, std::uint64_t bytes_max);
Result<std::string> read_text_file(const std::filesystem::path& path, std::uint64_t bytes_max);

enum class Durability { survives_process, survives_power_loss };

// The seam through which the stores write, so that tests can make any call fail.
// Every path is absolute or relative to the working directory; no call follows a half-written file.
class FileSystem {
 public:
  virtual ~FileSystem() = default;
  // Writes `parts` one after another to a temporary neighbour, then renames it over `path`.
  // On failure nothing is left under either name.
  virtual Result<> write_atomically(const std::filesystem::path& path,
                                    std::span<const ByteSpan> parts, Durability durability) = 0;
  virtual Result<> remove(const std::filesystem::path& path) = 0;
  virtual Result<> create_directories(const std::filesystem::path& path) = 0;
};

std::unique_ptr<FileSystem> real_file_system();

// A private directory (mode 0700) that is removed, with all in it, when this object goes.
class TemporaryDirectory {
 public:
  static Result<TemporaryDirectory> create(std::string_view name_prefix);
  TemporaryDirectory(TemporaryDirectory&& other) noexcept : path_(std::move(other.path_)) {
    other.path_.clear();
  }
  TemporaryDirectory& operator=(TemporaryDirectory&&) = delete;
  ~TemporaryDirectory();
  const std::filesystem::path& path() const { return path_; }

 private:
  explicit TemporaryDirectory(std::filesystem::path path) : path_(std::move(path)) {}
  std::filesystem::path path_;
};

}  // namespace hearth
