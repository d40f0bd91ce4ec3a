#include "hearth/vault/sealed_log.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>

namespace hearth::vault {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t piece_bytes = 1u << 20;
constexpr std::uint32_t piece_type = 1;

template <class T>
Result<T> named(Result<T> result, const fs::path& path) {
  if (result) return result;
  return std::unexpected(with_context(std::move(result).error(), "sealed file " + path.string()));
}

}  // namespace

Result<SealedContents> read_sealed_log(const fs::path& path, const Secret& collection_key) {
  const Bytes bytes = TRY(read_file(path, sealed_file_bytes_max));
  return named(read_sealed_bytes(bytes, collection_key), path);
}

Result<> SealedLog::write_at(std::uint64_t offset, ByteSpan bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::pwrite(file_.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return fail_errno("write", path_, errno);
    bytes = bytes.subspan(static_cast<std::size_t>(written));
    offset += static_cast<std::uint64_t>(written);
  }
  return {};
}

Result<SealedLog> SealedLog::open(fs::path path, const Secret& collection_key) {
  FileDescriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file.valid()) return fail_errno("open", path, errno);
  const Bytes bytes = TRY(read_file(path, sealed_file_bytes_max));
  if (bytes.size() < sealed_records_offset) {  // new, or its making was interrupted
    SealedFileCodec codec = TRY(SealedFileCodec::create(collection_key));
    SealedLog log(std::move(path), std::move(file), std::move(codec));
    Bytes start = log.codec_.head();
    for (int slot = 0; slot < 2; ++slot) {
      const Bytes sealed = log.codec_.slot(log.extent_, slot);
      start.insert(start.end(), sealed.begin(), sealed.end());
    }
    TRY(log.write_at(0, start));
    if (::fsync(log.file_.get()) != 0) return fail_errno("sync", log.path_, errno);
    return log;
  }
  const SealedContents contents = TRY(named(read_sealed_bytes(bytes, collection_key), path));
  if (!contents.damage.empty()) {
    return fail(Code::corrupt, fmt::format("sealed file {} is damaged: {}", path.string(), contents.damage.front()));
  }
  SealedFileCodec codec = TRY(SealedFileCodec::open(ByteSpan(bytes).first(sealed_head_bytes), collection_key));
  SealedLog log(std::move(path), std::move(file), std::move(codec));
  log.extent_ = contents.extent;
  if (::ftruncate(log.file_.get(), static_cast<off_t>(log.extent_.bytes)) != 0) return fail_errno("truncate", log.path_, errno);
  return log;
}

Result<> SealedLog::append(std::uint32_t type, ByteSpan text) {
  if (text.size() > sealed_record_bytes_max || extent_.bytes + text.size() + sealed_record_overhead_bytes > sealed_file_bytes_max) {
    return fail(Code::resource_exhausted, fmt::format("sealed file {} takes records of at most {} bytes and {} in all",
                                                      path_.string(), sealed_record_bytes_max, sealed_file_bytes_max));
  }
  const Bytes record = codec_.record(extent_.records, type, text);
  Result<> written = write_at(extent_.bytes, record);
  if (written && ::fdatasync(file_.get()) != 0) written = fail_errno("sync", path_, errno);
  if (!written) {
    (void)!::ftruncate(file_.get(), static_cast<off_t>(extent_.bytes));
    return written;
  }
  extent_ = {extent_.records + 1, extent_.bytes + record.size()};
  // The slots take turns, so that one of them is whole whenever the power fails.
  const int slot = static_cast<int>(extent_.records % 2);
  return write_at(sealed_head_bytes + static_cast<std::size_t>(slot) * sealed_slot_bytes, codec_.slot(extent_, slot));
}

Result<> write_sealed_file(FileSystem& files, const fs::path& path, const Secret& collection_key, ByteSpan text) {
  const SealedFileCodec codec = TRY(SealedFileCodec::create(collection_key));
  std::vector<Bytes> records;
  SealedExtent extent;
  for (std::size_t at = 0; at < text.size(); at += piece_bytes) {
    records.push_back(codec.record(extent.records, piece_type, text.subspan(at, std::min(piece_bytes, text.size() - at))));
    extent = {extent.records + 1, extent.bytes + records.back().size()};
  }
  const Bytes slots[2] = {codec.slot(extent, 0), codec.slot(extent, 1)};
  std::vector<ByteSpan> parts = {codec.head(), slots[0], slots[1]};
  parts.insert(parts.end(), records.begin(), records.end());
  return files.write_atomically(path, parts, Durability::survives_power_loss);
}

Result<Bytes> read_sealed_file(const fs::path& path, const Secret& collection_key) {
  const SealedContents contents = TRY(read_sealed_log(path, collection_key));
  if (!contents.damage.empty()) {
    return fail(Code::corrupt, fmt::format("sealed file {}: {}", path.string(), contents.damage.front()));
  }
  Bytes out;
  for (const SealedRecord& record : contents.records) out.insert(out.end(), record.text.begin(), record.text.end());
  return out;
}

}  // namespace hearth::vault
