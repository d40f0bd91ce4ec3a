#include "hearth/eval/kl/record.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "hearth/base/check.h"
#include "hearth/base/file_lock.h"

namespace hearth::eval {
namespace {

constexpr std::uint64_t block_head_bytes = 8;   // index and payload length
constexpr std::uint64_t block_tail_bytes = 16;  // checksum
constexpr std::uint64_t comparison_row_bytes = 36;
// Description, tokens with their kinds, and the fixed fields.
constexpr std::uint64_t header_bytes_max = record_json_bytes_max + kl_tokens_max * 5 + 64;

Checksum128 checksum_at(ByteSpan bytes) {
  Checksum128 out;
  std::memcpy(&out.low, bytes.data(), 8);
  std::memcpy(&out.high, bytes.data() + 8, 8);
  return out;
}

}  // namespace

Result<RecordFile> RecordFile::opened(const std::filesystem::path& path, int flags) {
  RecordFile out;
  out.path_ = path;
  out.file_ = FileDescriptor(::open(path.c_str(), flags | O_RDWR | O_APPEND | O_CLOEXEC, 0600));
  if (!out.file_.valid()) return fail_errno("open", path, errno);
  if (!TRY(try_lock(out.file_, path))) {
    return fail(
        Code::unavailable,
        fmt::format(
            "{} is in use: another hearth eval kl works on it; wait for it, or choose another "
            "folder with --record",
            path.string()));
  }
  return out;
}

Result<RecordFile> RecordFile::create(const std::filesystem::path& path, RecordHeader header) {
  const Bytes bytes = encode_header(header);
  const ByteSpan whole = bytes;
  TRY(real_file_system()->write_atomically(path, std::span(&whole, 1),
                                           Durability::survives_power_loss));
  return open(path);
}

Result<RecordFile> RecordFile::open(const std::filesystem::path& path) {
  RecordFile out = TRY(opened(path, 0));
  const ReadableFile file = TRY(ReadableFile::open(path));
  Bytes start(static_cast<std::size_t>(std::min(file.size_bytes(), header_bytes_max)));
  TRY(file.read_at(0, start));
  auto parsed = parse_header(start);
  if (!parsed) return std::unexpected(with_context(std::move(parsed).error(), path.string()));
  out.header_ = std::move(parsed->header);
  out.header_bytes_ = parsed->bytes;
  out.digest_ = blake2b(ByteSpan(start).first(parsed->bytes));
  return out;
}

std::uint64_t RecordFile::payload_bytes(const ScoreBlock& block) const {
  const std::uint64_t row = header_.kind == RecordKind::reference ? 8ull * header_.top + 8
                                                                  : comparison_row_bytes;
  return row * block.positions();
}

Result<> RecordFile::resume(std::span<const ScoreBlock> plan) {
  const std::uint64_t size = TRY(ReadableFile::open(path_)).size_bytes();
  offsets_ = {header_bytes_};
  for (std::size_t i = 0; i < plan.size() && offsets_.back() < size; ++i) {
    const std::uint64_t payload = payload_bytes(plan[i]);
    const std::uint64_t end = offsets_.back() + block_head_bytes + payload + block_tail_bytes;
    if (end > size) break;
    const auto block = read_block(i, offsets_.back(), payload);
    if (!block && end == size) break;
    if (!block) return std::unexpected(block.error());
    offsets_.push_back(end);
  }
  if (blocks() == plan.size() && offsets_.back() < size) {
    return fail(Code::corrupt, fmt::format("{} goes on after its last block", path_.string()));
  }
  if (offsets_.back() < size &&
      ::ftruncate(file_.get(), static_cast<off_t>(offsets_.back())) != 0) {
    return fail_errno("cut off", path_, errno);
  }
  return {};
}

Result<Bytes> RecordFile::read_block(std::size_t block, std::uint64_t offset,
                                     std::uint64_t payload_bytes) const {
  const ReadableFile file = TRY(ReadableFile::open(path_));
  Bytes bytes(static_cast<std::size_t>(block_head_bytes + payload_bytes + block_tail_bytes));
  TRY(file.read_at(offset, bytes));
  const ByteSpan covered = ByteSpan(bytes).first(bytes.size() - block_tail_bytes);
  ByteReader reader(covered);
  const auto index = TRY(reader.read<std::uint32_t>("block"));
  const auto length = TRY(reader.read<std::uint32_t>("length"));
  if (index != block || length != payload_bytes ||
      xxh3_128(covered) != checksum_at(ByteSpan(bytes).last(block_tail_bytes))) {
    return fail(
        Code::corrupt,
        fmt::format(
            "{}: block {} at offset {} is damaged; remove the file, and it will be made again",
            path_.string(), block, offset));
  }
  return Bytes(covered.begin() + block_head_bytes, covered.end());
}

Result<Bytes> RecordFile::read(std::size_t block) const {
  CHECK(block < blocks());
  const std::uint64_t payload =
      offsets_[block + 1] - offsets_[block] - block_head_bytes - block_tail_bytes;
  return read_block(block, offsets_[block], payload);
}

Result<> RecordFile::append(ByteSpan payload) {
  CHECK(!offsets_.empty());
  ByteWriter out;
  out.write(static_cast<std::uint32_t>(blocks()));
  out.write(static_cast<std::uint32_t>(payload.size()));
  out.write_bytes(payload);
  const Checksum128 sum = xxh3_128(out.bytes());
  out.write(sum.low);
  out.write(sum.high);
  TRY(write(out.bytes()));
  offsets_.push_back(offsets_.back() + out.bytes().size());
  return {};
}

Result<> RecordFile::write(ByteSpan bytes) {
  while (!bytes.empty()) {
    const ssize_t done = ::write(file_.get(), bytes.data(), bytes.size());
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) return fail_errno("write", path_, errno);
    bytes = bytes.subspan(static_cast<std::size_t>(done));
  }
  if (::fdatasync(file_.get()) != 0) return fail_errno("sync", path_, errno);
  return {};
}

}  // namespace hearth::eval
