#ifdef __APPLE__
// macOS: sandbox-exec with a profile that denies all but reading the system and computing, resource
// limits, a process group that is killed. Weaker than on Linux: the kernel does not limit the address
// space (supervise.cpp watches resident memory instead), and files are limited one by one.

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "hearth/eval/sandbox/confinement.h"

namespace hearth::eval {
namespace {

namespace fs = std::filesystem;

constexpr const char* sandbox_exec = "/usr/bin/sandbox-exec";

std::string profile_of(const fs::path& folder, const fs::path& python) {
  std::error_code error;
  const fs::path real_folder = fs::canonical(folder, error);
  return fmt::format(R"((version 1)
(deny default)
(deny network*)
(deny process-fork)
(deny signal)
(allow process-exec (literal "{0}") (subpath "{1}"))
(allow sysctl-read)
(allow mach-lookup (global-name "com.apple.system.opendirectoryd.libinfo"))
(allow file-read-metadata)
(allow file-read* (subpath "/usr/lib") (subpath "/System") (subpath "/Library/Developer/CommandLineTools")
  (subpath "{1}") (subpath "{2}") (literal "/dev/null") (literal "/dev/zero") (literal "/dev/random")
  (literal "/dev/urandom") (literal "/"))
(allow file-write* (subpath "{2}/tmp") (literal "/dev/null"))
)",
                     python.string(), python.parent_path().parent_path().string(), real_folder.string());
}

Result<> write_files(const SandboxJob& job, const fs::path& folder) {
  const auto files = real_file_system();
  TRY(files->create_directories(folder / "job"));
  TRY(files->create_directories(folder / "tmp"));
  for (const SandboxFile& file : job.request.files) {
    const ByteSpan parts[] = {as_byte_span(file.text)};
    TRY(files->write_atomically(folder / "job" / file.name, parts, Durability::survives_process));
  }
  return {};
}

[[noreturn]] void become_program(const SandboxJob& job, const fs::path& folder, int status_fd) {
  std::vector<std::string> words = {sandbox_exec, "-p", profile_of(folder, job.python), job.python.string()};
  words.insert(words.end(), job.request.arguments.begin(), job.request.arguments.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  const std::string home = fmt::format("HOME={}/tmp", folder.string()), tmp = fmt::format("TMPDIR={}/tmp", folder.string());
  std::vector<const char*> environment = {home.c_str(), tmp.c_str()};
  for (const char* const* each = confined_environment; *each != nullptr; ++each) {
    if (!std::string_view(*each).starts_with("HOME=") && !std::string_view(*each).starts_with("TMPDIR=")) environment.push_back(*each);
  }
  environment.push_back(nullptr);
  ::setsid();
  if (::chdir((folder / "job").c_str()) == 0 && set_process_limits(job.request.limits)) {
    ::execve(sandbox_exec, argv.data(), const_cast<char* const*>(environment.data()));
  }
  const std::string line = fmt::format("error starting {}: {}\n", sandbox_exec, std::strerror(errno));
  (void)!::write(status_fd, line.data(), line.size());
  ::_exit(3);
}

}  // namespace

Result<ConfinedProcess> start_confined(const SandboxJob& job) {
  if (::access(sandbox_exec, X_OK) != 0) {
    return fail(Code::unavailable, "code of answers runs only where it can be confined, and /usr/bin/sandbox-exec is not there");
  }
  ProcessPipe input = TRY(make_process_pipe());
  ProcessPipe output = TRY(make_process_pipe());
  ProcessPipe errors = TRY(make_process_pipe());
  ProcessPipe status = TRY(make_process_pipe());
  TemporaryDirectory folder = TRY(TemporaryDirectory::create("hearth-sandbox"));
  TRY(write_files(job, folder.path()));
  const pid_t program = ::fork();
  if (program < 0) return fail_errno("start", "a process in the sandbox", errno);
  if (program == 0) {
    if (take_streams(input.read_end.get(), output.write_end.get(), errors.write_end.get())) {
      become_program(job, folder.path(), status.write_end.get());
    }
    ::_exit(3);
  }
  return ConfinedProcess{program,
                         std::move(input.write_end),
                         std::move(output.read_end),
                         std::move(errors.read_end),
                         std::move(status.read_end),
                         std::move(folder)};
}

}  // namespace hearth::eval
#endif
