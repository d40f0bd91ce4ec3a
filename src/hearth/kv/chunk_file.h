#pragma once
// A chunk as a file: header and payload, exactly as on the wire. Reads are bounded and verified,
// writes are all or nothing. Thread-safe as far as the file system is.

#include <filesystem>

#include "hearth/base/file.h"
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

}  // namespace hearth::kv
