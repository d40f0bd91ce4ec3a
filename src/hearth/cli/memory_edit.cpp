#include "hearth/cli/memory_edit.h"

#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef __linux__
#include <linux/magic.h>
#include <sys/vfs.h>
#endif

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "hearth/base/file.h"
#include "hearth/cli/environment.h"
#include "hearth/session/memory_files.h"

extern char** environ;

namespace hearth::cli {
namespace fs = std::filesystem;
namespace {

// Gone at the end, with whatever the editor left in it.
class CopyFolder {
 public:
  static Result<CopyFolder> make(bool is_sealed) {
    std::error_code error;
    const fs::path base = is_sealed ? TRY(folder_in_memory()) : fs::temp_directory_path(error);
    if (error) return fail(Code::unavailable, "no directory for temporary files (see TMPDIR)");
    std::string name = (base / "hearth-memory-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) return fail_errno("create directory", name, errno);
    return CopyFolder(name);
  }
  CopyFolder(CopyFolder&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  ~CopyFolder() {
    std::error_code ignored;
    if (!path_.empty()) fs::remove_all(path_, ignored);
  }
  const fs::path& path() const { return path_; }

 private:
  explicit CopyFolder(fs::path path) : path_(std::move(path)) {}

  static Result<fs::path> folder_in_memory() {
#ifdef __linux__
    struct statfs system = {};
    const fs::path folder = "/dev/shm";
    if (::statfs(folder.c_str(), &system) == 0 && system.f_type == TMPFS_MAGIC) return folder;
#endif
    return fail(Code::invalid_argument, "this memory is sealed, and there is no folder in memory where an editor could have it: give the new "
                                        "text with --text -, on standard input");
  }

  fs::path path_;
};

Result<> run_editor(const std::string& editor, const fs::path& file) {
  const std::string command = editor + " \"$1\"";  // an EDITOR may have flags
  const std::string path = file.string();
  const char* arguments[] = {"sh", "-c", command.c_str(), "sh", path.c_str(), nullptr};
  pid_t child = 0;
  int status = 0;
  if (const int error = ::posix_spawn(&child, "/bin/sh", nullptr, nullptr, const_cast<char**>(arguments), environ); error != 0) {
    return fail_errno("start", editor, error);
  }
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (status != 0) return fail(Code::cancelled, "the editor ended with an error: nothing was changed");
  return {};
}

}  // namespace

Result<std::string> read_standard_input(std::size_t bytes_max) {
  std::string out;
  char buffer[65536];
  for (std::size_t got = 0; (got = std::fread(buffer, 1, sizeof(buffer), stdin)) > 0;) {
    out.append(buffer, got);
    if (out.size() > bytes_max) return fail(Code::resource_exhausted, fmt::format("a memory file has at most {} bytes", bytes_max));
  }
  return out;
}

Result<std::string> edit_text(const std::string& name, const std::string& text, bool is_sealed) {
  const std::string editor = editor_variable();
  if (editor.empty() || ::isatty(STDIN_FILENO) != 1) {
    return fail(Code::invalid_argument, "no new text: give it with --text, on standard input with --text -, or set EDITOR in a terminal");
  }
  const CopyFolder folder = TRY(CopyFolder::make(is_sealed));
  if (is_sealed) fmt::print(stderr, "the copy is in memory only; what your editor keeps elsewhere (undo, registers, recent text) is its own\n");
  const fs::path copy = folder.path() / fs::path(name).filename();
  const ByteSpan part = as_byte_span(text);
  TRY(real_file_system()->write_atomically(copy, std::span(&part, 1), Durability::survives_process));
  TRY(run_editor(editor, copy));
  return read_text_file(copy, session::memory_file_bytes_max);
}

}  // namespace hearth::cli
