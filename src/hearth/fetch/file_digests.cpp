#include "hearth/fetch/file_digests.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <atomic>
#include <mutex>

#include "hearth/base/file.h"
#include "hearth/base/sha256.h"
#include "hearth/base/thread.h"

namespace hearth::fetch {
namespace {

constexpr std::uint64_t block_bytes = 4ULL << 20;
constexpr std::uint64_t memory_file_bytes_max = 64ULL << 20;

std::int64_t nanoseconds_of(const timespec& time) { return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec; }

// One call of digest_files: what its readers share.
struct Reading {
  const std::vector<std::filesystem::path>& files;
  std::vector<FileDigest>& out;
  DigestMemory& memory;
  const DigestProgress& progress;
  const StopToken& stop;
  std::uint64_t total_bytes = 0;
  std::atomic<std::size_t> next{0};
  std::mutex mutex{};  // memory, progress
  std::uint64_t done_bytes = 0;

  void add(std::uint64_t bytes) {
    const std::lock_guard hold(mutex);
    done_bytes += bytes;
    if (progress) progress(done_bytes, total_bytes);
  }
  std::optional<Digest256> find(const FileStamp& stamp) {
    const std::lock_guard hold(mutex);
    return memory.find(stamp);
  }
};

Result<Digest256> read_through(const std::filesystem::path& path, Reading& shared) {
  const ReadableFile file = TRY(ReadableFile::open(path));
  Sha256 digest;
  Bytes block(block_bytes);
  for (std::uint64_t at = 0; at < file.size_bytes();) {
    if (shared.stop.stop_requested()) return fail(Code::cancelled, "reading was cancelled");
    const std::span<std::byte> part(block.data(), static_cast<std::size_t>(std::min(block_bytes, file.size_bytes() - at)));
    TRY(file.read_at(at, part));
    digest.update(part);
    at += part.size();
    shared.add(part.size());
  }
  return digest.finish();
}

// Fills in the rest of `out`, too.
Result<Digest256> digest_of(FileDigest& out, Reading& shared) {
  out.stamp = TRY(stamp_of(out.file));
  if (const auto known = shared.find(out.stamp)) {
    out.was_remembered = true;
    shared.add(out.stamp.bytes);
    return *known;
  }
  const Digest256 digest = TRY(read_through(out.file, shared));
  const FileStamp after = TRY(stamp_of(out.file));
  if (after != out.stamp) {
    return fail(Code::unavailable, fmt::format("{} changed while it was read", out.file.string()));
  }
  const std::lock_guard hold(shared.mutex);
  shared.memory.remember(after, digest);
  return digest;
}

void read_files(Reading& shared) {
  for (;;) {
    const std::size_t index = shared.next++;
    if (index >= shared.files.size()) return;
    FileDigest& out = shared.out[index];
    out.sha256 = digest_of(out, shared);
  }
}

}  // namespace

Result<FileStamp> stamp_of(const std::filesystem::path& file) {
  struct stat info {};
  if (::stat(file.c_str(), &info) != 0) return fail_errno("stat", file, errno);
#ifdef __APPLE__
  const std::int64_t changed_ns = nanoseconds_of(info.st_ctimespec);
#else
  const std::int64_t changed_ns = nanoseconds_of(info.st_ctim);
#endif
  return FileStamp{static_cast<std::uint64_t>(info.st_dev), static_cast<std::uint64_t>(info.st_ino),
                   static_cast<std::uint64_t>(info.st_size), changed_ns};
}

Json digest_line(const FileStamp& stamp, const Digest256& digest) {
  return Json::object({{"device", stamp.device}, {"inode", stamp.inode}, {"bytes", stamp.bytes},
                       {"changed_ns", stamp.changed_ns}, {"sha256", digest.hex()}});
}

Result<std::pair<FileStamp, Digest256>> parse_digest_line(std::string_view line) {
  const Json json = TRY(parse_json(line));
  FileStamp stamp;
  stamp.device = TRY(get<std::uint64_t>(json, "device"));
  stamp.inode = TRY(get<std::uint64_t>(json, "inode"));
  stamp.bytes = TRY(get<std::uint64_t>(json, "bytes"));
  stamp.changed_ns = TRY(get<std::int64_t>(json, "changed_ns"));
  const std::string hex = TRY(get<std::string>(json, "sha256"));
  const Digest256 digest = TRY(Digest256::parse(hex));
  return std::pair(stamp, digest);
}

DigestMemory DigestMemory::open(std::filesystem::path file) {
  DigestMemory out;
  out.file_ = std::move(file);
  if (out.file_.empty()) return out;
  const auto text = read_text_file(out.file_, memory_file_bytes_max);
  if (!text) return out;
  for (std::size_t begin = 0; begin < text->size();) {
    const std::size_t end = std::min(text->find('\n', begin), text->size());
    const auto line = parse_digest_line(std::string_view(*text).substr(begin, end - begin));
    if (line && out.known_.size() < remembered_digests_max) out.known_[line->first] = line->second;
    begin = end + 1;
  }
  return out;
}

std::optional<Digest256> DigestMemory::find(const FileStamp& stamp) const {
  const auto found = known_.find(stamp);
  return found == known_.end() ? std::nullopt : std::optional(found->second);
}

void DigestMemory::remember(const FileStamp& stamp, const Digest256& digest) {
  if (known_.size() >= remembered_digests_max) known_.clear();
  known_[stamp] = digest;
  if (file_.empty()) return;
  std::string text;
  for (const auto& [known, value] : known_) text += dump_json(digest_line(known, value)) + "\n";
  const auto files = real_file_system();
  if (!file_.parent_path().empty()) (void)files->create_directories(file_.parent_path());
  const ByteSpan bytes = as_byte_span(text);
  // Losing it costs reading the files again.
  (void)files->write_atomically(file_, std::span(&bytes, 1), Durability::survives_process);
}

std::vector<FileDigest> digest_files(const std::vector<std::filesystem::path>& files, std::uint32_t readers,
                                     DigestMemory& memory, const DigestProgress& progress, const StopToken& stop) {
  std::vector<FileDigest> out;
  std::uint64_t total_bytes = 0;
  for (const auto& file : files) {
    out.push_back({.file = file, .sha256 = fail(Code::cancelled, "not read")});
    if (const auto stamp = stamp_of(file)) total_bytes += stamp->bytes;
  }
  Reading shared{.files = files, .out = out, .memory = memory, .progress = progress, .stop = stop,
                 .total_bytes = total_bytes};
  std::vector<Thread> threads;
  for (std::uint32_t i = 0; i < std::max(1U, readers) && i < files.size(); ++i) {
    threads.push_back(Thread("digest", [&shared] { read_files(shared); }));
  }
  threads.clear();  // joins
  return out;
}

}  // namespace hearth::fetch
