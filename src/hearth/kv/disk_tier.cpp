#include "hearth/kv/disk_tier.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "hearth/base/file_lock.h"
#include "hearth/kv/chunk_file.h"
#include "hearth/kv/sealed_chunk_file.h"

namespace hearth::kv {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view chunk_suffix = ".kv";
constexpr std::string_view sealed_suffix = ".skv";
constexpr std::string_view pins_context = "pins";
constexpr std::string_view uses_context = "uses";
constexpr std::uint64_t pins_file_bytes_max = 1ull << 28;
constexpr std::string_view temporary_suffix = ".tmp";
constexpr std::string_view lock_name = "writer.lock";
constexpr std::size_t pid_text_bytes_max = 32;

bool is_folder_name(std::string_view name) {
  return name.size() == 2 && name.find_first_not_of("0123456789abcdef") == name.npos;
}

// The lock file says who; not yet, if it was locked this instant.
std::string holder_of(const fs::path& path) {
  const auto pid = read_text_file(path, pid_text_bytes_max);
  const bool is_number = pid && !pid->empty() && std::ranges::all_of(*pid, [](char c) {
    return c >= '0' && c <= '9';
  });
  return is_number ? fmt::format("process {}", *pid) : "another process";
}

}  // namespace

fs::path DiskTier::path_of(const ChunkKey& key) const {
  const std::string hex = cipher_ ? cipher_->file_name(key) : key.hex();
  return directory_ / hex.substr(0, 2) / (hex + std::string(cipher_ ? sealed_suffix : chunk_suffix));
}

Result<> DiskTier::write(FileSystem& files, const Chunk& chunk, Durability durability) const {
  const fs::path path = path_of(chunk.header.key);
  TRY(files.create_directories(path.parent_path()));
  if (cipher_) return write_sealed_chunk(files, path, chunk, *cipher_, durability);
  return write_chunk_file(files, path, chunk, durability);
}

Result<Chunk> DiskTier::read(const ChunkKey& key) const {
  const ExpectedChunk expected{.layout = {}, .key = key};
  return cipher_ ? read_sealed_chunk(path_of(key), *cipher_, expected) : read_chunk_file(path_of(key), expected);
}

Result<> DiskTier::write_list(FileSystem& files, const fs::path& path, std::string_view context, std::string_view text,
                              Durability durability) const {
  Bytes sealed;
  ByteSpan part = as_byte_span(text);
  if (cipher_) {
    sealed.resize(text.size() + ChunkCipher::overhead_bytes);
    cipher_->seal(part, as_byte_span(context), sealed);
    part = sealed;
  }
  return files.write_atomically(path, std::span(&part, 1), durability);
}

Result<std::string> DiskTier::read_list(const fs::path& path, std::string_view context) const {
  std::string text = TRY(read_text_file(path, pins_file_bytes_max));
  if (!cipher_) return text;
  if (text.size() < ChunkCipher::overhead_bytes) return fail(Code::corrupt, "too short to be sealed");
  std::string plain(text.size() - ChunkCipher::overhead_bytes, '\0');
  TRY(cipher_->open(as_byte_span(text), as_byte_span(context), std::as_writable_bytes(std::span(plain))));
  return plain;
}

// A pin is somebody's decision, not something that can be computed again.
Result<> DiskTier::write_pins(FileSystem& files, std::string_view text) const {
  return write_list(files, pins_path(), pins_context, text, Durability::survives_power_loss);
}
Result<std::string> DiskTier::read_pins() const { return read_list(pins_path(), pins_context); }

Result<> DiskTier::write_uses(FileSystem& files, std::string_view text) const {
  return write_list(files, uses_path(), uses_context, text, Durability::survives_process);
}
Result<std::string> DiskTier::read_uses() const { return read_list(uses_path(), uses_context); }

Result<ScannedChunk> DiskTier::scan_file(const fs::path& path) const {
  ScannedChunk scanned;
  if (cipher_) {
    scanned.header = TRY(read_sealed_header(path, *cipher_));
  } else {
    scanned.header = TRY(read_chunk_header(path));
  }
  if (const auto fault = find_header_fault(scanned.header, {})) {
    return std::unexpected(fault_error(*fault, scanned.header, {}));
  }
  const fs::path place = path_of(scanned.header.key);
  if (place.parent_path().filename() != path.parent_path().filename() && place.filename() == path.filename()) {
    return fail(Code::unsupported, fmt::format("chunk file {} does not lie where it belongs", path.string()));  // a copy
  }
  if (place.filename() != path.filename()) {
    return fail(Code::corrupt, fmt::format("chunk file {} holds another chunk than its name says", path.string()));
  }
  scanned.file_bytes = chunk_bytes(scanned.header);
  scanned.header.tokens = {};
  std::error_code ignored;
  scanned.written_at = fs::last_write_time(path, ignored);
  return scanned;
}

void DiskTier::scan_entry(const fs::path& path, ScanReport& report) const {
  const std::string name = path.filename().string();
  if (name.ends_with(temporary_suffix)) {
    report.temporaries.push_back(path);
    return;
  }
  const auto digest = Digest256::parse(std::string_view(name).substr(0, name.find('.')));
  if (!digest || !name.ends_with(cipher_ ? sealed_suffix : chunk_suffix)) {
    ++report.foreign_files;
    return;
  }
  auto scanned = scan_file(path);
  if (scanned) {
    report.chunks.push_back(*std::move(scanned));
  } else if (scanned.error().code == Code::corrupt) {
    report.damaged.push_back({path, std::move(scanned).error().message});
  } else {
    ++report.foreign_files;  // another version, or unreadable just now
  }
}

Result<> DiskTier::scan_folder(const fs::path& folder, ScanReport& report) const {
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    scan_entry(it->path(), report);
  }
  if (error) return fail_errno("list", folder, error.value());
  return {};
}

Result<ScanReport> DiskTier::scan() const {
  ScanReport report;
  std::error_code error;
  for (fs::directory_iterator it(directory_, error), end; !error && it != end;
       it.increment(error)) {
    const std::string name = it->path().filename().string();
    std::error_code ignored;
    if (is_folder_name(name) && it->is_directory(ignored)) {
      TRY(scan_folder(it->path(), report));
    } else if (name.ends_with(temporary_suffix)) {
      report.temporaries.push_back(it->path());
    } else if (name != lock_name && it->path() != pins_path() && it->path() != uses_path()) {
      ++report.foreign_files;
    }
  }
  if (error) return fail_errno("list", directory_, error.value());
  std::sort(report.chunks.begin(), report.chunks.end(),
            [](const ScannedChunk& a, const ScannedChunk& b) {
              return std::tie(a.written_at, a.header.key) < std::tie(b.written_at, b.header.key);
            });
  return report;
}

Result<StoreLock> StoreLock::acquire(const fs::path& directory) {
  const fs::path path = directory / lock_name;
  StoreLock lock;
  lock.fd_ = FileDescriptor(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!lock.fd_.valid()) return fail_errno("open", path, errno);
  if (!TRY(try_lock(lock.fd_, path))) {
    return fail(Code::unavailable,
                fmt::format("{} writes to the chunk store {}, and only one process may: wait until "
                            "it ends or stop it, or use a store in another directory, or none",
                            holder_of(path), directory.string()));
  }
  const std::string pid = std::to_string(::getpid());
  if (::ftruncate(lock.fd_.get(), 0) != 0 ||
      ::pwrite(lock.fd_.get(), pid.data(), pid.size(), 0) != static_cast<ssize_t>(pid.size())) {
    return fail_errno("write", path, errno);
  }
  return lock;
}

}  // namespace hearth::kv
