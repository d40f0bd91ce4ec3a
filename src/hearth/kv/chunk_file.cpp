#include "hearth/kv/chunk_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

namespace hearth::kv {
namespace {

// The header of a chunk of 1,024 tokens, in one read.
constexpr std::uint64_t first_read_bytes = 8'192;

constexpr std::size_t read_piece_bytes = 256 * 1024;

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

// In pieces, so that each is digested while it is in the processor's cache.
Result<Checksum128> read_digested(const ReadableFile& file, std::uint64_t offset,
                                  std::span<std::byte> out) {
  Xxh3 digest;
  for (std::size_t done = 0; done < out.size();) {
    const auto piece = out.subspan(done, std::min(read_piece_bytes, out.size() - done));
    TRY(file.read_at(offset + done, piece));
    digest.update(piece);
    done += piece.size();
  }
  return digest.finish();
}

Result<Chunk> read_whole(OpenChunk open, const ExpectedChunk& expected) {
  Chunk chunk;
  chunk.header = std::move(open.header);
  chunk.payload = TRY(Buffer::create(static_cast<std::size_t>(chunk.header.payload_bytes)));
  const Checksum128 digest =
      TRY(read_digested(open.file, header_bytes(chunk.header), chunk.payload.span()));
  TRY(verify_chunk(chunk.header, chunk.payload.size(), digest, expected));
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
  OpenChunk open = TRY(named(open_chunk(path), path));
  return named(read_whole(std::move(open), expected), path);
}

Result<MappedChunk> map_chunk_file(const std::filesystem::path& path,
                                   const ExpectedChunk& expected) {
  OpenChunk open = TRY(named(open_chunk(path), path));
  MappedChunk out;
  if (auto view = FileView::open(open.file)) {
    out.view_.emplace(*std::move(view));
    out.header_ = std::move(open.header);
    if (auto sound = verify_chunk(out.header_, out.payload(), expected); !sound) {
      return named(Result<MappedChunk>(std::unexpected(std::move(sound).error())), path);
    }
    return out;
  }
  Chunk chunk = TRY(named(read_whole(std::move(open), expected), path));
  out.header_ = std::move(chunk.header);
  out.copy_ = std::move(chunk.payload);
  return out;
}

ByteSpan MappedChunk::payload() const {
  return view_ ? view_->bytes().subspan(header_bytes(header_)) : copy_.span();
}

}  // namespace hearth::kv
