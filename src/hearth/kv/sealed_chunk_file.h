#pragma once
// A chunk as a sealed file: docs/formats/sealed_chunk.md. Header and payload are sealed apart, so that
// a scan reads headers only. The cipher's tags take the place of the payload's digest. No plain byte
// of either is ever in a file.

#include <filesystem>

#include "hearth/base/file.h"
#include "hearth/kv/chunk_cipher.h"

namespace hearth::kv {

Result<> write_sealed_chunk(FileSystem& files, const std::filesystem::path& path, const Chunk& chunk,
                            const ChunkCipher& cipher, Durability durability);
// corrupt when the file is damaged, cut, or sealed with another key; unsupported: another version.
Result<ChunkHeader> read_sealed_header(const std::filesystem::path& path, const ChunkCipher& cipher);
Result<Chunk> read_sealed_chunk(const std::filesystem::path& path, const ChunkCipher& cipher,
                                const ExpectedChunk& expected);

}  // namespace hearth::kv
