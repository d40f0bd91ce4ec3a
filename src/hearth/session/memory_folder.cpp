#include "hearth/session/memory_folder.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>

#include "hearth/base/utf8.h"
#include "hearth/session/folder_access.h"
#include "hearth/session/guarded_replace.h"

namespace hearth::session {
namespace fs = std::filesystem;
namespace {

constexpr int readings_max = 4;
constexpr std::size_t faults_shown_max = 20;
constexpr std::string_view backup_folder = ".hearth/backup/";

struct CloseDirectory {
  void operator()(DIR* directory) const { ::closedir(directory); }
};

// A listing owns its descriptor, so it gets one of its own. nullptr: see errno.
DIR* open_listing(const FileDescriptor& folder) {
  const int copy = ::fcntl(folder.get(), F_DUPFD_CLOEXEC, 0);
  DIR* out = copy < 0 ? nullptr : ::fdopendir(copy);
  if (out == nullptr && copy >= 0) ::close(copy);
  return out;
}

// One reading. Faults are gathered, so that all of them are told at once.
class Reading {
 public:
  Result<MemoryFiles> read(const fs::path& folder) {
    const FileDescriptor root = TRY(open_folder(folder));
    TRY(walk(root, "", 1));
    if (faults_.empty()) note(check_memory_files(files_));
    if (faults_.empty()) return std::move(files_);
    const std::size_t more = faults_.size() - std::min(faults_.size(), faults_shown_max);
    if (more > 0) faults_.resize(faults_shown_max);
    return fail(Code::invalid_argument,
                fmt::format("{} cannot be loaded as memory:\n  {}{}", folder.string(), fmt::join(faults_, "\n  "),
                            more > 0 ? fmt::format("\n  and {} more", more) : std::string()));
  }

 private:
  void note(const Result<>& checked) {
    if (!checked) faults_.push_back(checked.error().message);
  }

  Result<> walk(const FileDescriptor& folder, const std::string& prefix, std::size_t depth) {
    const std::unique_ptr<DIR, CloseDirectory> directory(open_listing(folder));
    if (!directory) return fail_errno("list folder", prefix.empty() ? "." : prefix, errno);
    for (;;) {
      errno = 0;
      const dirent* entry = ::readdir(directory.get());
      if (entry == nullptr) {
        if (errno != 0) return fail_errno("list folder", prefix.empty() ? "." : prefix, errno);
        return {};
      }
      const std::string name = entry->d_name;
      if (name.front() == '.') continue;
      if (files_.size() > memory_files_max || faults_.size() > memory_files_max) return {};
      TRY(visit(folder.get(), prefix + name, name, depth));
    }
  }

  Result<> visit(int folder, const std::string& path, const std::string& name, std::size_t depth) {
    struct stat info {};
    if (::fstatat(folder, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) return {};  // gone: the next reading differs
    const std::string shown = replace_invalid_utf8(path);
    if (S_ISLNK(info.st_mode)) {
      faults_.push_back(fmt::format("{}: is a link; put the file itself there, or give the name a dot in front", shown));
      return {};
    }
    if (S_ISDIR(info.st_mode)) {
      if (depth >= memory_depth_max) {
        faults_.push_back(fmt::format("{}: more than {} folders deep", shown, memory_depth_max));
        return {};
      }
      const FileDescriptor inner(::openat(folder, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
      if (!inner.valid()) return fail_errno("open folder", path, errno);
      return walk(inner, path + "/", depth + 1);
    }
    if (auto checked = check_memory_path(path); !checked) {
      note(checked);
      return {};
    }
    auto text = read_beneath(folder, name, memory_file_bytes_max);
    if (!text) {
      if (text.error().code == Code::not_found) return {};
      const std::string& message = text.error().message;
      faults_.push_back(message.starts_with(name) ? prefix_of(path) + message : message);
      return {};
    }
    note(check_memory_text(path, *text));
    files_[path] = *std::move(text);
    return {};
  }
  static std::string prefix_of(const std::string& path) { return path.substr(0, path.rfind('/') + 1); }

  MemoryFiles files_;
  std::vector<std::string> faults_;
};

}  // namespace

Result<MemoryFiles> read_memory_folder(const fs::path& folder) {
  if (std::error_code ignored; !fs::is_directory(folder, ignored)) {
    return fail(Code::not_found, fmt::format("no memory folder at {}; make one with mkdir, and put Markdown files there",
                                             folder.string()));
  }
  MemoryFiles last = TRY(Reading().read(folder));
  for (int i = 1; i < readings_max; ++i) {
    MemoryFiles again = TRY(Reading().read(folder));
    if (again == last) return again;
    last = std::move(again);
  }
  return fail(Code::unavailable,
              fmt::format("{} is being written to: {} readings all differed; try again when that has ended",
                          folder.string(), readings_max));
}

Result<FoldReport> fold_memory(const fs::path& folder, const MemoryFiles& known, const MemoryFiles& wanted,
                               std::string_view stamp) {
  const std::vector<MemoryChange> changes = changes_between(known, wanted);
  FoldReport report;
  if (changes.empty()) return report;
  TRY(check_memory_files(wanted));
  const MemoryFiles there = TRY(read_memory_folder(folder));
  const FileDescriptor root = TRY(open_folder(folder));
  const std::string backup = std::string(backup_folder) + std::string(stamp) + "/";
  for (const MemoryChange& change : changes) {
    TRY(check_memory_path(change.path));
    if (change.text) TRY(check_memory_text(change.path, *change.text));
    const auto old = there.find(change.path);
    const std::optional<std::string> present = old == there.end() ? std::nullopt : std::optional(old->second);
    const auto expected = known.find(change.path);
    const std::optional<std::string> was = expected == known.end() ? std::nullopt : std::optional(expected->second);
    if (present == change.text) continue;
    // Looked at once more as it is replaced: an editor may have saved it since it was read.
    bool replaced = false;
    if (present == was) replaced = TRY(replace_beneath(root.get(), change.path, was, change.text, backup + change.path));
    if (!replaced) {
      report.conflicts.push_back(change.path);
      if (change.text) TRY(write_beneath(root.get(), backup + change.path + ".session", *change.text));
      continue;
    }
    (change.text ? report.written : report.removed).push_back(change.path);
    if (was) report.backup = folder / backup;
  }
  return report;
}

}  // namespace hearth::session
