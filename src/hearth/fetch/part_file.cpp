#include "hearth/fetch/part_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "hearth/base/file_lock.h"

namespace hearth::fetch {
namespace {

constexpr Duration save_interval = std::chrono::seconds(1);

std::filesystem::path with_suffix(std::filesystem::path path, const char* suffix) { return path += suffix; }

}  // namespace

std::filesystem::path part_path(const std::filesystem::path& target) { return with_suffix(target, ".part"); }
std::filesystem::path state_path(const std::filesystem::path& target) { return with_suffix(target, ".part.json"); }

std::optional<DownloadState> kept_state(const std::filesystem::path& target, const FileVersion& version) {
  std::error_code ignored;
  if (std::filesystem::file_size(part_path(target), ignored) != version.size_bytes || ignored) return std::nullopt;
  const auto text = read_text_file(state_path(target), download_state_bytes_max);
  if (!text) return std::nullopt;
  auto state = DownloadState::parse(*text);
  // Without a version nothing says that the halves belong together; the digest at the end would.
  if (!state || state->version() != version) return std::nullopt;
  return *std::move(state);
}

Result<> write_at(const FileDescriptor& file, std::uint64_t offset, ByteSpan bytes, const std::filesystem::path& path) {
  while (!bytes.empty()) {
    const ssize_t written = ::pwrite(file.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return fail_errno("write", path, errno);
    bytes = bytes.subspan(static_cast<std::size_t>(written));
    offset += static_cast<std::uint64_t>(written);
  }
  return {};
}

Result<FileDescriptor> lock_part(const std::filesystem::path& target) {
  const auto path = part_path(target);
  FileDescriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
  if (!file.valid()) return fail_errno("create", path, errno);
  if (!TRY(try_lock(file, path))) {
    return fail(Code::unavailable, path.string() + " is being downloaded by another process; wait for it");
  }
  // Whoever held it before may have given it its name meanwhile: then this is a finished model.
  struct stat mine{}, named{};
  if (::fstat(file.get(), &mine) != 0 || ::stat(path.c_str(), &named) != 0 || mine.st_ino != named.st_ino ||
      mine.st_dev != named.st_dev) {
    return fail(Code::unavailable, path.string() + " was just finished by another process; run it again");
  }
  return file;
}

Result<std::unique_ptr<PartFile>> PartFile::open(const FileDescriptor& locked, const std::filesystem::path& target,
                                                 FileVersion version, std::uint64_t piece_bytes) {
  const auto path = part_path(target);
  auto kept = kept_state(target, version);
  if (!kept) {
    if (::ftruncate(locked.get(), 0) != 0) return fail_errno("empty", path, errno);
    kept = TRY(DownloadState::begin(version, piece_bytes));
    if (::ftruncate(locked.get(), static_cast<off_t>(version.size_bytes)) != 0) return fail_errno("grow", path, errno);
  }
  return std::unique_ptr<PartFile>(new PartFile(target, locked, *std::move(kept)));
}

std::optional<Piece> PartFile::take() {
  const std::lock_guard hold(mutex_);
  return state_.take();
}

Result<> PartFile::put(const Piece& piece, ByteSpan bytes) {
  TRY(write_at(file_, piece.offset, bytes, part_path(target_)));
  bool save_now = false;
  {
    const std::lock_guard hold(mutex_);
    state_.complete(piece);
    const Instant now = SteadyClock().now();
    save_now = now - saved_ >= save_interval;
    if (save_now) saved_ = now;
  }
  return save_now ? save() : Result<>();
}

void PartFile::give_back(const Piece& piece) {
  const std::lock_guard hold(mutex_);
  state_.give_back(piece);
}

std::uint64_t PartFile::bytes_done() const {
  const std::lock_guard hold(mutex_);
  return state_.bytes_done();
}

bool PartFile::is_complete() const {
  const std::lock_guard hold(mutex_);
  return state_.is_complete();
}

Result<> PartFile::save() {
  std::string text;
  {
    const std::lock_guard hold(mutex_);
    text = dump_json(state_.json());
  }
  if (::fsync(file_.get()) != 0) return fail_errno("sync", part_path(target_), errno);
  const ByteSpan bytes = as_byte_span(text);
  return real_file_system()->write_atomically(state_path(target_), std::span(&bytes, 1), Durability::survives_process);
}

}  // namespace hearth::fetch
