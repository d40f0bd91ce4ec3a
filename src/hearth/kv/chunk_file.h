#pragma once
// A chunk as a file: header and payload, exactly as on the wire. Reads are bounded and verified,
// writes are all or nothing. Thread-safe as far as the file system is.

#include <filesystem>
#include <optional>

#include "hearth/base/file.h"
#include "hearth/base/file_view.h"
#include "hearth/kv/chunk.h"

namespace hearth::kv {

Result<> write_chunk_file(FileSystem& files, const std::filesystem::path& path, const Chunk& chunk,
                          Durability durability);

// Header only. corrupt also when the file is shorter or longer than the header says: a torn write
// is seen without reading the payload.
Result<ChunkHeader> read_chunk_header(const std::filesystem::path& path);

// All of it, into one buffer, digested once. not_found when there is no file, corrupt (or
// unsupported) when it must not be used, resource_exhausted when memory is short.
Result<Chunk> read_chunk_file(const std::filesystem::path& path, const ExpectedChunk& expected);

// A chunk where its file is, checked like the above: for whoever reads it once more, right away.
// A chunk file is never written in place; base/file_view.h says what happens if somebody does.
class MappedChunk {
 public:
  const ChunkHeader& header() const { return header_; }
  ByteSpan payload() const;

 private:
  friend Result<MappedChunk> map_chunk_file(const std::filesystem::path&, const ExpectedChunk&);
  ChunkHeader header_;
  std::optional<FileView> view_;  // absent where files cannot be mapped safely:
  Buffer copy_;                   // then the payload is here
};
Result<MappedChunk> map_chunk_file(const std::filesystem::path& path, const ExpectedChunk& expected);

}  // namespace hearth::kv
