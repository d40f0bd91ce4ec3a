#include "hearth/kv/sealed_chunk_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace hearth::kv {
namespace {

constexpr std::string_view magic = "HRTHKVSL";
constexpr std::uint32_t version = 1;
constexpr std::size_t start_bytes = 24;

using Start = std::array<std::byte, start_bytes>;

struct Lengths {
  std::uint32_t sealed_header_bytes = 0;
  std::uint64_t payload_bytes = 0;
};

Start encode_start(const Lengths& lengths) {
  Start out{};
  std::memcpy(out.data(), magic.data(), magic.size());
  std::memcpy(out.data() + 8, &version, sizeof(version));
  std::memcpy(out.data() + 12, &lengths.sealed_header_bytes, sizeof(lengths.sealed_header_bytes));
  std::memcpy(out.data() + 16, &lengths.payload_bytes, sizeof(lengths.payload_bytes));
  return out;
}

Result<Lengths> parse_start(ByteSpan bytes) {
  ByteReader reader(bytes);
  if (as_text(TRY(reader.read_bytes(magic.size(), "magic"))) != magic) return fail(Code::corrupt, "not a sealed chunk");
  const auto found = TRY(reader.read<std::uint32_t>("version"));
  if (found != version) return fail(Code::unsupported, fmt::format("sealed chunk of version {}", found));
  Lengths out;
  out.sealed_header_bytes = TRY(reader.read<std::uint32_t>("header length"));
  out.payload_bytes = TRY(reader.read<std::uint64_t>("payload length"));
  if (out.sealed_header_bytes < ChunkCipher::overhead_bytes + header_fixed_bytes ||
      out.sealed_header_bytes > header_bytes_max + ChunkCipher::overhead_bytes || out.payload_bytes > chunk_payload_bytes_max) {
    return fail(Code::corrupt, "a sealed chunk of impossible lengths");
  }
  return out;
}

// The payload vouches for the chunk it belongs to: it cannot lie under another header.
Bytes payload_context(const Start& start, const ChunkKey& key) {
  ByteWriter out;
  out.write_bytes(start);
  out.write_bytes(key.digest.bytes);
  return out.take();
}

struct OpenSealed {
  ReadableFile file;
  Start start{};
  Lengths lengths;
  ChunkHeader header;
};

Result<OpenSealed> open_sealed(const std::filesystem::path& path, const ChunkCipher& cipher) {
  OpenSealed out;
  out.file = TRY(ReadableFile::open(path));
  const std::uint64_t size_bytes = out.file.size_bytes();
  if (size_bytes < start_bytes) return fail(Code::corrupt, "the file ends in its first bytes");
  TRY(out.file.read_at(0, out.start));
  out.lengths = TRY(parse_start(out.start));
  const std::uint64_t expected = start_bytes + out.lengths.sealed_header_bytes + out.lengths.payload_bytes + ChunkCipher::overhead_bytes;
  if (size_bytes != expected) {
    return fail(Code::corrupt, fmt::format("the file has {} bytes, its beginning says {}", size_bytes, expected));
  }
  Bytes sealed(out.lengths.sealed_header_bytes);
  TRY(out.file.read_at(start_bytes, sealed));
  Bytes plain(sealed.size() - ChunkCipher::overhead_bytes);
  TRY(cipher.open(sealed, out.start, plain));
  out.header = TRY(parse_header(plain));
  if (out.header.payload_bytes != out.lengths.payload_bytes) return fail(Code::corrupt, "header and file differ in the payload's length");
  return out;
}

template <class T>
Result<T> named(Result<T> result, const std::filesystem::path& path) {
  if (result) return result;
  return std::unexpected(with_context(std::move(result).error(), "sealed chunk " + path.string()));
}

Result<Chunk> read_payload(OpenSealed open, const ChunkCipher& cipher, const ExpectedChunk& expected) {
  if (const auto fault = find_header_fault(open.header, expected)) {
    return std::unexpected(fault_error(*fault, open.header, expected));
  }
  Buffer sealed = TRY(Buffer::create(static_cast<std::size_t>(open.lengths.payload_bytes) + ChunkCipher::overhead_bytes));
  TRY(open.file.read_at(start_bytes + open.lengths.sealed_header_bytes, sealed.span()));
  Chunk chunk;
  chunk.payload = TRY(Buffer::create(static_cast<std::size_t>(open.lengths.payload_bytes)));
  TRY(cipher.open(sealed.span(), payload_context(open.start, open.header.key), chunk.payload.span()));
  chunk.header = std::move(open.header);
  return chunk;
}

}  // namespace

Result<> write_sealed_chunk(FileSystem& files, const std::filesystem::path& path, const Chunk& chunk,
                            const ChunkCipher& cipher, Durability durability) {
  const Bytes header = encode_header(chunk.header);
  const Start start = encode_start({static_cast<std::uint32_t>(header.size() + ChunkCipher::overhead_bytes), chunk.payload.size()});
  Bytes sealed_header(header.size() + ChunkCipher::overhead_bytes);
  cipher.seal(header, start, sealed_header);
  Buffer sealed_payload = TRY(Buffer::create(chunk.payload.size() + ChunkCipher::overhead_bytes));
  cipher.seal(chunk.payload.span(), payload_context(start, chunk.header.key), sealed_payload.span());
  const std::array<ByteSpan, 3> parts = {ByteSpan(start), ByteSpan(sealed_header), ByteSpan(sealed_payload.span())};
  return files.write_atomically(path, parts, durability);
}

Result<ChunkHeader> read_sealed_header(const std::filesystem::path& path, const ChunkCipher& cipher) {
  OpenSealed open = TRY(named(open_sealed(path, cipher), path));
  return std::move(open.header);
}

Result<Chunk> read_sealed_chunk(const std::filesystem::path& path, const ChunkCipher& cipher, const ExpectedChunk& expected) {
  OpenSealed open = TRY(named(open_sealed(path, cipher), path));
  return named(read_payload(std::move(open), cipher, expected), path);
}

}  // namespace hearth::kv
