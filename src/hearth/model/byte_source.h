#pragma once
// Where the bytes of a model file come from: a file, memory, later ranges over HTTP.
// Not thread-safe; one reader per source.

#include <cstdint>
#include <span>

#include "hearth/base/bytes.h"
#include "hearth/base/file.h"
#include "hearth/base/result.h"

namespace hearth::model {

class ByteSource {
 public:
  virtual ~ByteSource() = default;
  virtual std::uint64_t size_bytes() const = 0;
  // Fills all of `out`, or fails (corrupt when the source ends first).
  virtual Result<> read_at(std::uint64_t offset, std::span<std::byte> out) = 0;
};

// Does not own the bytes.
class MemorySource final : public ByteSource {
 public:
  explicit MemorySource(ByteSpan bytes) : bytes_(bytes) {}
  std::uint64_t size_bytes() const override { return bytes_.size(); }
  Result<> read_at(std::uint64_t offset, std::span<std::byte> out) override;

 private:
  ByteSpan bytes_;
};

class FileSource final : public ByteSource {
 public:
  explicit FileSource(ReadableFile file) : file_(std::move(file)) {}
  std::uint64_t size_bytes() const override { return file_.size_bytes(); }
  Result<> read_at(std::uint64_t offset, std::span<std::byte> out) override {
    return file_.read_at(offset, out);
  }

 private:
  ReadableFile file_;
};

}  // namespace hearth::model
