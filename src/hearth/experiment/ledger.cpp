#include "hearth/experiment/ledger.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>

#include "hearth/base/check.h"
#include "hearth/base/digest.h"
#include "hearth/base/file_lock.h"

namespace hearth::experiment {
namespace {

std::string digest_of(std::string_view line) { return Blake2b().update(line).finish().hex(); }

Result<Event> read_line(std::string_view line, std::size_t number, const std::string& previous) {
  const Json json = TRY(parse_json(line));
  const auto n = TRY(get<std::uint64_t>(json, "n"));
  const auto named = TRY(get<std::string>(json, "previous"));
  if (n != number || named != previous) {
    return fail(Code::corrupt, "it does not follow from the line before it");
  }
  Event out{.kind = TRY(get<std::string>(json, "event")), .facts = Json::object(), .time = TRY(get<std::string>(json, "time"))};
  for (const auto& [key, value] : json.as_object()) {
    if (key != "n" && key != "previous" && key != "event" && key != "time") out.facts.set(key, value);
  }
  return out;
}

Result<> write_all(int fd, std::string_view bytes, std::uint64_t offset, const std::filesystem::path& path) {
  while (!bytes.empty()) {
    const ssize_t count = ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail_errno("write", path, errno);
    bytes.remove_prefix(static_cast<std::size_t>(count));
    offset += static_cast<std::uint64_t>(count);
  }
  if (::fsync(fd) != 0) return fail_errno("write", path, errno);
  return {};
}

}  // namespace

Result<LedgerText> read_ledger(std::string_view text, std::string_view name) {
  LedgerText out;
  std::string_view rest = text;
  for (;;) {
    const std::size_t end = rest.find('\n');
    if (end == std::string_view::npos) return out;
    const std::string_view line = rest.substr(0, end);
    auto event = read_line(line, out.events.size() + 1, out.last_digest);
    if (!event) {
      return fail(Code::corrupt, fmt::format("{}:{}: {}; it was changed since it was written", name, out.events.size() + 1,
                                             event.error().message));
    }
    out.events.push_back(*std::move(event));
    out.last_digest = digest_of(line);
    rest.remove_prefix(end + 1);
    out.whole_bytes = text.size() - rest.size();
  }
}

Result<Ledger> Ledger::open(const std::filesystem::path& path, WallTime now) {
  FileDescriptor file = TRY(lock_file(path, fmt::format("{}: another hearth runs this experiment", path.string())));
  const std::string text = TRY(read_text_file(path, ledger_bytes_max));
  LedgerText read = TRY(read_ledger(text, path.string()));
  if (read.whole_bytes < text.size() && ::ftruncate(file.get(), static_cast<off_t>(read.whole_bytes)) != 0) {
    return fail_errno("shorten", path, errno);
  }
  return Ledger(std::move(file), path, std::move(read), std::move(now));
}

Result<Ledger> Ledger::look(const std::filesystem::path& path) {
  Ledger out(FileDescriptor(), path, {}, {});
  const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.valid() && errno == ENOENT) return out;
  if (!file.valid()) return fail_errno("open", path, errno);
  out.is_written_elsewhere_ = ::flock(file.get(), LOCK_SH | LOCK_NB) != 0;
  (void)::flock(file.get(), LOCK_UN);  // nobody who wants to run it shall find it taken
  const std::string text = TRY(read_text_file(path, ledger_bytes_max));
  LedgerText read = TRY(read_ledger(text, path.string()));  // a line that is being written has no end yet
  out.events_ = std::move(read.events);
  return out;
}

Result<> Ledger::append(std::string kind, Json facts) {
  CHECK(file_.valid());  // looked at only
  Event event{.kind = std::move(kind), .facts = std::move(facts), .time = now_()};
  Json json = Json::object({{"n", events_.size() + 1}, {"previous", last_digest_}, {"time", event.time}, {"event", event.kind}});
  for (const auto& [key, value] : event.facts.as_object()) json.set(key, value);
  const std::string line = dump_json(json);
  const auto written = write_all(file_.get(), line + "\n", whole_bytes_, path_);
  if (!written) {
    (void)::ftruncate(file_.get(), static_cast<off_t>(whole_bytes_));
    return written;
  }
  whole_bytes_ += line.size() + 1;
  last_digest_ = digest_of(line);
  events_.push_back(std::move(event));
  return {};
}

Result<> Ledger::reserve_next_line() {
  CHECK(file_.valid());
#ifdef __linux__
  const auto offset = static_cast<off_t>(whole_bytes_);
  int done;
  do done = ::fallocate(file_.get(), FALLOC_FL_KEEP_SIZE, offset, reserved_line_bytes);
  while (done != 0 && errno == EINTR);
  if (done != 0 && errno != EOPNOTSUPP && errno != ENOSYS) return fail_errno("reserve room in", path_, errno);
#endif
  return {};
}

}  // namespace hearth::experiment
