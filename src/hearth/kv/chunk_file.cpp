#include "hearth/kv/chunk_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

namespace hearth::kv {
namespace {

// The header of a chunk of 1,024 tokens, in one read.
constexpr std::uint64_t first_read_bytes = 8'192;

struct OpenChunk {
  ReadableFile file;
  ChunkHeader header;
};

Result<OpenChunk> open_chunk(const std::filesystem::path& path) {
  OpenChunk open;
  open.file = TRY(ReadableFile::open(path));
  const std::uint64_t size_bytes = open.file.size_bytes();
  Bytes start(static_cast<std::size_t>(std::min(size_bytes, first_read_bytes)));
  TRY(open.file.read_at(0, start));
  const std::size_t needed = TRY(header_bytes_needed(start));
  if (needed > start.size() && needed <= size_bytes) {
    const std::size_t have = start.size();
    start.resize(needed);
    TRY(open.file.read_at(have, std::span(start).subspan(have)));
  }
  open.header = TRY(parse_header(start));
  if (chunk_bytes(open.header) != size_bytes) {
    return fail(Code::corrupt, fmt::format("the file has {} bytes, its header says {}", size_bytes,
                                           chunk_bytes(open.header)));
  }
  return open;
}

template <class T>
Result<T> named(Result<T> result, const std::filesystem::path& path) {
  if (result) return result;
  return std::unexpected(
      with_context(std::move(result).error(), fmt::format("chunk file {}", path.string())));
}

Result<Chunk> read_whole(const std::filesystem::path& path, const ExpectedChunk& expected) {
  OpenChunk open = TRY(open_chunk(path));
  Chunk chunk;
  chunk.header = std::move(open.header);
  chunk.payload = TRY(Buffer::create(static_cast<std::size_t>(chunk.header.payload_bytes)));
  TRY(open.file.read_at(header_bytes(chunk.header), chunk.payload.span()));
  TRY(verify_chunk(chunk.header, std::as_const(chunk.payload).span(), expected));
  return chunk;
}

}  // namespace

Result<> write_chunk_file(FileSystem& files, const std::filesystem::path& path, const Chunk& chunk,
                          Durability durability) {
  const Bytes header = encode_header(chunk.header);
  const std::array<ByteSpan, 2> parts = {ByteSpan(header), chunk.payload.span()};
  return files.write_atomically(path, parts, durability);
}

Result<ChunkHeader> read_chunk_header(const std::filesystem::path& path) {
  auto open = named(open_chunk(path), path);
  if (!open) return std::unexpected(std::move(open).error());
  return std::move(open->header);
}

Result<Chunk> read_chunk_file(const std::filesystem::path& path, const ExpectedChunk& expected) {
  return named(read_whole(path, expected), path);
}

}  // namespace hearth::kv
