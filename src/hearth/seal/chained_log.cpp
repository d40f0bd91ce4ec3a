#include "hearth/seal/chained_log.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <optional>

#include "hearth/base/file_lock.h"

namespace hearth::seal {
namespace fs = std::filesystem;
namespace {

constexpr mode_t private_file_mode = 0600;
constexpr std::uint64_t head_bytes_max = 1024;

fs::path head_path(const fs::path& path) { return path.string() + ".head"; }

Digest256 next_chain(std::string_view key, const ChainHead& before, std::string_view record) {
  return Blake2b()
      .update_sized(key)
      .update(ByteSpan(before.chain.bytes))
      .update_number<std::uint64_t>(before.records + 1)
      .update_sized(record)
      .finish();
}

// A sound line moves the head on; otherwise what is wrong with it.
std::optional<std::string> take_line(std::string_view line, std::string_view key, ChainHead& head,
                                     const std::function<void(const Json&)>& each) {
  if (line.size() > chained_line_bytes_max) return "the line is too long";
  const auto parsed = parse_json(line);
  if (!parsed || !parsed->is_object()) return "the line is not a JSON object";
  const auto number = get<std::uint64_t>(*parsed, "n");
  const auto chain = get<std::string>(*parsed, "chain");
  const Json* record = parsed->find("record");
  if (!number || !chain || record == nullptr) return "n, record or chain is missing";
  if (*number != head.records + 1) return fmt::format("it has number {}, expected {}", *number, head.records + 1);
  const Digest256 expected = next_chain(key, head, dump_json(*record));
  if (*chain != expected.hex()) return "its chain does not follow from the lines before and its record";
  head = {head.records + 1, expected};
  if (each) each(*record);
  return std::nullopt;
}

Result<std::optional<ChainHead>> read_head(const fs::path& path) {
  const auto text = read_text_file(head_path(path), head_bytes_max);
  if (!text && text.error().code == Code::not_found) return std::nullopt;
  if (!text) return std::unexpected(text.error());
  const Json json = TRY(parse_json(*text));
  ChainHead head;
  head.records = TRY(get<std::uint64_t>(json, "n"));
  head.chain = TRY(Digest256::parse(TRY(get<std::string>(json, "chain"))));
  return head;
}

// The head is written after the line: it may be one behind, never ahead.
Result<> write_head(const fs::path& path, const ChainHead& head) {
  const std::string text =
      dump_json(Json::object({{"n", head.records}, {"chain", head.chain.hex()}})) + "\n";
  const ByteSpan part = as_byte_span(text);
  return real_file_system()->write_atomically(head_path(path), std::span(&part, 1),
                                              Durability::survives_power_loss);
}

Result<> write_all(int fd, std::string_view text, const fs::path& path) {
  while (!text.empty()) {
    const ssize_t written = ::write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return fail_errno("append to", path, errno);
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

}  // namespace

ChainReport verify_chain(std::string_view text, const ChainHead* recorded, std::string_view key,
                         const std::function<void(const Json& record)>& each) {
  ChainReport report;
  const auto bad = [&](std::uint64_t line, std::string what) {
    report.first_bad_line = line;
    report.what = std::move(what);
    return report;
  };
  std::uint64_t line_number = 0;
  bool saw_recorded = recorded == nullptr || recorded->records == 0;
  while (!text.empty()) {
    ++line_number;
    const auto end = text.find('\n');
    if (end == text.npos) return bad(line_number, "the line has no end");
    if (auto what = take_line(text.substr(0, end), key, report.head, each)) return bad(line_number, *std::move(what));
    text.remove_prefix(end + 1);
    if (recorded != nullptr && report.head == *recorded) saw_recorded = true;
  }
  if (!saw_recorded) {
    return bad(line_number + 1, fmt::format("the log has {} records, its head says {}: the end is missing or "
                                            "the beginning was exchanged", report.head.records, recorded->records));
  }
  if (recorded != nullptr && report.head.records > recorded->records + 1) {
    return bad(recorded->records + 2, "lines follow that the head does not know");
  }
  return report;
}

Result<ChainReport> verify_chained_log(const fs::path& path, std::string_view key,
                                       const std::function<void(const Json& record)>& each) {
  const std::string text = TRY(read_text_file(path, chained_log_bytes_max));
  const auto head = TRY(read_head(path));
  return verify_chain(text, head ? &*head : nullptr, key, each);
}

Result<ChainedLog> ChainedLog::open(fs::path path, std::string key,
                                    const std::function<void(const Json& record)>& each) {
  ChainedLog log;
  log.path_ = std::move(path);
  log.key_ = std::move(key);
  log.file_ = FileDescriptor(::open(log.path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW,
                                    private_file_mode));
  if (!log.file_.valid()) return fail_errno("open", log.path_, errno);
  // Two writers would make two chains.
  if (!TRY(try_lock(log.file_, log.path_))) {
    return fail(Code::unavailable, log.path_.string() + " is being written by another process; stop hearth serve first");
  }
  std::string text = TRY(read_text_file(log.path_, chained_log_bytes_max));
  const std::size_t whole = text.rfind('\n') == text.npos ? 0 : text.rfind('\n') + 1;
  if (whole != text.size()) {
    if (::ftruncate(log.file_.get(), static_cast<off_t>(whole)) != 0) return fail_errno("truncate", log.path_, errno);
    text.resize(whole);
  }
  const auto head = TRY(read_head(log.path_));
  const ChainReport report = verify_chain(text, head ? &*head : nullptr, log.key_, each);
  if (!report.is_sound()) {
    return fail(Code::corrupt, fmt::format("{}:{}: {}; move the file and its .head away to begin a new log",
                                           log.path_.string(), report.first_bad_line, report.what));
  }
  log.head_ = report.head;
  log.size_bytes_ = text.size();
  return log;
}

Result<> ChainedLog::append(const Json& record) {
  // A second line that the head does not know would look like tampering at the next start.
  if (head_is_behind_) TRY(keep_head());
  const std::string body = dump_json(record);
  const ChainHead next{head_.records + 1, next_chain(key_, head_, body)};
  const std::string line =
      fmt::format("{{\"n\":{},\"record\":{},\"chain\":\"{}\"}}\n", next.records, body, next.chain.hex());
  if (line.size() > chained_line_bytes_max || size_bytes_ + line.size() > chained_log_bytes_max) {
    return fail(Code::resource_exhausted,
                fmt::format("{} takes no more: at most {} bytes a line and {} in all; move it and its .head away",
                            path_.string(), chained_line_bytes_max, chained_log_bytes_max));
  }
  Result<> written = write_all(file_.get(), line, path_);
  if (written && ::fdatasync(file_.get()) != 0) written = fail_errno("sync", path_, errno);
  if (!written) {
    // Half a line would spoil the next; if even this fails, opening the log cuts it off.
    (void)!::ftruncate(file_.get(), static_cast<off_t>(size_bytes_));
    return written;
  }
  size_bytes_ += line.size();
  head_ = next;
  return keep_head();
}

Result<> ChainedLog::keep_head() {
  auto kept = write_head(path_, head_);
  head_is_behind_ = !kept;
  return kept;
}

}  // namespace hearth::seal
