#include "hearth/session/session_shelf.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "hearth/base/file.h"
#include "hearth/base/file_lock.h"

namespace hearth::session {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view suffix = ".session";
constexpr std::string_view magic = "hearth session 1 ";
constexpr std::uint64_t lock_bytes_max = 64;

class PlainCodec final : public RecordCodec {
 public:
  std::string_view name() const override { return "plain"; }
  Result<std::string> encode(std::string_view, std::uint64_t, std::string_view record) override { return std::string(record); }
  Result<std::string> decode(std::string_view, std::uint64_t, std::string_view line) override { return std::string(line); }
};

// Held by whoever writes a session; says who.
Result<FileDescriptor> lock_session(const fs::path& path, std::string_view id) {
  FileDescriptor lock(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!lock.valid()) return fail_errno("open", path, errno);
  if (!TRY(try_lock(lock, path))) {
    const auto who = read_text_file(path, lock_bytes_max);
    return fail(Code::unavailable,
                fmt::format("session {} is open in another hearth{}; leave it there first (/quit), or start another "
                            "session", id, who && !who->empty() ? " (process " + *who + ")" : std::string()));
  }
  const std::string pid = std::to_string(::getpid());
  if (::ftruncate(lock.get(), 0) != 0 || ::pwrite(lock.get(), pid.data(), pid.size(), 0) < 0) {
    return fail_errno("write", path, errno);
  }
  return lock;
}

class FileLog final : public SessionLog {
 public:
  FileLog(std::string id, fs::path path, FileDescriptor lock, FileDescriptor file, RecordCodec& codec, std::uint64_t records)
      : id_(std::move(id)), path_(std::move(path)), lock_(std::move(lock)), file_(std::move(file)), codec_(codec),
        records_(records) {}

  const std::string& id() const override { return id_; }

  Result<> append(std::string_view record) override {
    std::string line = TRY(codec_.encode(id_, records_, record));
    line += '\n';
    const off_t before = ::lseek(file_.get(), 0, SEEK_END);
    if (auto written = write(line); !written) {
      (void)!::ftruncate(file_.get(), before);  // a half line would be a torn one
      return written;
    }
    ++records_;
    return {};
  }

  Result<> write(std::string_view text) {
    while (!text.empty()) {
      const ssize_t written = ::write(file_.get(), text.data(), text.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return fail_errno("write", path_, errno);
      text.remove_prefix(static_cast<std::size_t>(written));
    }
    if (::fsync(file_.get()) != 0) return fail_errno("sync", path_, errno);
    return {};
  }

 private:
  const std::string id_;
  const fs::path path_;
  const FileDescriptor lock_;
  const FileDescriptor file_;
  RecordCodec& codec_;
  std::uint64_t records_;
};

// The lines that end, and how many bytes they are.
std::vector<std::string_view> whole_lines(std::string_view text, std::size_t& bytes) {
  std::vector<std::string_view> out;
  bytes = 0;
  for (std::size_t end = 0; (end = text.find('\n', bytes)) != std::string_view::npos; bytes = end + 1) {
    out.push_back(text.substr(bytes, end - bytes));
  }
  return out;
}

}  // namespace

Result<> check_session_id(std::string_view id) {
  const auto is_plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  };
  if (!id.empty() && id.size() <= session_id_bytes_max && std::ranges::all_of(id, is_plain) && id.front() != '-') return {};
  return fail(Code::invalid_argument,
              fmt::format("a session's name has letters, digits, '-' and '_', at most {} of them; for example journal",
                          session_id_bytes_max));
}

std::unique_ptr<RecordCodec> make_plain_codec() { return std::make_unique<PlainCodec>(); }

SessionShelf::SessionShelf(fs::path directory, std::vector<std::unique_ptr<RecordCodec>> codecs)
    : directory_(std::move(directory)), codecs_(std::move(codecs)) {
  codecs_.push_back(make_plain_codec());
}
SessionShelf::~SessionShelf() = default;

fs::path SessionShelf::path_of(std::string_view id) const { return directory_ / fmt::format("{}{}", id, suffix); }

Result<RecordCodec*> SessionShelf::codec_named(std::string_view name) const {
  for (const auto& codec : codecs_) {
    if (codec->name() == name) return codec.get();
  }
  return fail(Code::unavailable, fmt::format("the session is written as '{}', which cannot be read now; is the vault locked?", name));
}

Result<std::vector<std::string>> SessionShelf::ids() const {
  std::vector<std::string> out;
  std::error_code error;
  if (!fs::exists(directory_, error)) return out;
  for (fs::directory_iterator it(directory_, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    if (!name.ends_with(suffix)) continue;
    std::string id = name.substr(0, name.size() - suffix.size());
    if (check_session_id(id)) out.push_back(std::move(id));
  }
  if (error) return fail_errno("list", directory_, error.value());
  std::ranges::sort(out);
  return out;
}

Result<std::unique_ptr<SessionLog>> SessionShelf::create(std::string_view id, std::string_view codec_name) {
  TRY(check_session_id(id));
  RecordCodec* const codec = TRY(codec_named(codec_name));
  TRY(codec->encode(id, 0, ""));  // one that cannot write leaves no empty session behind
  std::error_code error;
  fs::create_directories(directory_, error);
  if (error) return fail_errno("create directory", directory_, error.value());
  ::chmod(directory_.c_str(), 0700);
  const fs::path path = path_of(id);
  FileDescriptor lock = TRY(lock_session(path.string() + ".lock", id));
  FileDescriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file.valid() && errno == EEXIST) {
    return fail(Code::invalid_argument, fmt::format("there is a session {} already; resume it with hearth session resume {}, "
                                                    "or take another name", id, id));
  }
  if (!file.valid()) return fail_errno("create", path, errno);
  auto log = std::make_unique<FileLog>(std::string(id), path, std::move(lock), std::move(file), *codec, 0);
  TRY(log->write(fmt::format("{}{}\n", magic, codec_name)));
  return log;
}

Result<SessionText> SessionShelf::read(std::string_view id, bool tolerant) const {
  TRY(check_session_id(id));
  const fs::path path = path_of(id);
  auto text = read_text_file(path, session_file_bytes_max);
  if (!text && text.error().code == Code::not_found) {
    return fail(Code::not_found, fmt::format("no session {}; hearth session list shows what is there", id));
  }
  if (!text) return std::unexpected(std::move(text.error()));
  std::size_t bytes = 0;
  const auto lines = whole_lines(*text, bytes);
  if (lines.empty() || !lines.front().starts_with(magic)) {
    return fail(Code::corrupt, fmt::format("{} is no session file: its first line is not '{}...'", path.string(), magic));
  }
  SessionText out{.codec = std::string(lines.front().substr(magic.size())), .records = {}, .damaged = {}, .torn = bytes != text->size()};
  RecordCodec* const codec = TRY(codec_named(out.codec));
  for (std::size_t i = 1; i < lines.size(); ++i) {
    auto record = codec->decode(id, i - 1, lines[i]);
    if (record) {
      out.records.push_back(*std::move(record));
    } else if (tolerant && record.error().code != Code::unavailable) {
      out.damaged.push_back(fmt::format("line {}: {}", i + 1, record.error().message));
    } else {
      return std::unexpected(with_context(std::move(record.error()), fmt::format("{}:{}: ", path.string(), i + 1)));
    }
  }
  return out;
}

Result<std::unique_ptr<SessionLog>> SessionShelf::open(std::string_view id, std::string* codec_name) {
  TRY(check_session_id(id));
  const fs::path path = path_of(id);
  if (std::error_code ignored; !fs::exists(path, ignored)) {
    return fail(Code::not_found, fmt::format("no session {}; hearth session list shows what is there", id));
  }
  FileDescriptor lock = TRY(lock_session(path.string() + ".lock", id));
  auto text = TRY(read_text_file(path, session_file_bytes_max));
  std::size_t bytes = 0;
  const auto lines = whole_lines(text, bytes);
  if (lines.empty() || !lines.front().starts_with(magic)) {
    return fail(Code::corrupt, fmt::format("{} is no session file", path.string()));
  }
  const std::string_view name = lines.front().substr(magic.size());
  if (codec_name != nullptr) *codec_name = name;
  RecordCodec* const codec = TRY(codec_named(name));
  FileDescriptor file(::open(path.c_str(), O_RDWR | O_APPEND | O_CLOEXEC | O_NOFOLLOW));
  if (!file.valid()) return fail_errno("open", path, errno);
  if (bytes != text.size() && ::ftruncate(file.get(), static_cast<off_t>(bytes)) != 0) {
    return fail_errno("cut the torn end of", path, errno);
  }
  return std::make_unique<FileLog>(std::string(id), path, std::move(lock), std::move(file), *codec, lines.size() - 1);
}

Result<> SessionShelf::remove(std::string_view id) {
  std::string codec_name;
  {
    const auto held = open(id, &codec_name);  // nobody writes there
    if (!held && held.error().code != Code::corrupt) return std::unexpected(held.error());
    // The key first: without it the bytes are nothing, wherever copies of them are.
    if (held) {
      RecordCodec* const codec = TRY(codec_named(codec_name));
      TRY(codec->forget(id));
    }
  }
  const fs::path path = path_of(id);
  if (::unlink(path.c_str()) != 0) return fail_errno("remove", path, errno);
  ::unlink((path.string() + ".lock").c_str());
  return {};
}

}  // namespace hearth::session
