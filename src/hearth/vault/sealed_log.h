#pragma once
// Sealed files on disks: a log that grows record by record (a transcript), and a file written whole
// (a memory file, a grade). No text is ever in a file, a temporary one included.

#include <filesystem>

#include "hearth/base/file.h"
#include "hearth/vault/sealed_file.h"

namespace hearth::vault {

// One owner; not thread-safe. The collection's key is asked for at opening only.
class SealedLog {
 public:
  // Creates it (mode 0600), or goes on after its last whole record. corrupt when records are damaged
  // or missing: read_sealed_log() gives what is left; nothing is written into a damaged file.
  static Result<SealedLog> open(std::filesystem::path path, const Secret& collection_key);
  // On disk when it returns. resource_exhausted: too long a record, or a full disk; then it is as if
  // it had not been called.
  Result<> append(std::uint32_t type, ByteSpan text);
  std::uint64_t records() const { return extent_.records; }

 private:
  SealedLog(std::filesystem::path path, FileDescriptor file, SealedFileCodec codec)
      : path_(std::move(path)), file_(std::move(file)), codec_(std::move(codec)) {}
  Result<> write_at(std::uint64_t offset, ByteSpan bytes);
  std::filesystem::path path_;
  FileDescriptor file_;
  SealedFileCodec codec_;
  SealedExtent extent_;
};

Result<SealedContents> read_sealed_log(const std::filesystem::path& path, const Secret& collection_key);

// A whole file in records of a mebibyte; replaced at once or not at all.
Result<> write_sealed_file(FileSystem& files, const std::filesystem::path& path, const Secret& collection_key, ByteSpan text);
// corrupt when anything of it is damaged.
Result<Bytes> read_sealed_file(const std::filesystem::path& path, const Secret& collection_key);

}  // namespace hearth::vault
