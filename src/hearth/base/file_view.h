#pragma once
// A file's bytes where the kernel keeps them, without a copy. For files that are never written in
// place (see FileSystem::write_atomically): what somebody overwrites meanwhile shows, and what he
// cuts off ends the process (SIGBUS). Removing or replacing the file by name does neither.

#include <optional>

#include "hearth/base/file.h"

namespace hearth {

class FileView {
 public:
  // All of the file, read from its device by now. Nothing where that failed or this system cannot
  // promise it: use ReadableFile::read_at(), which tells why.
  static std::optional<FileView> open(const ReadableFile& file);
  FileView(FileView&& other) noexcept : bytes_(other.bytes_) { other.bytes_ = {}; }
  FileView& operator=(FileView&&) = delete;
  ~FileView();
  ByteSpan bytes() const { return bytes_; }

 private:
  explicit FileView(ByteSpan bytes) : bytes_(bytes) {}
  ByteSpan bytes_;
};

}  // namespace hearth
