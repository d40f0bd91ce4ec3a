#include "hearth/base/child_process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <thread>

#include "hearth/base/pipe.h"

extern char** environ;

namespace hearth {
namespace {

constexpr Duration reap_poll_interval = std::chrono::milliseconds(5);
constexpr std::size_t read_bytes_max = 4096;

struct Pipe {
  FileDescriptor read_end, write_end;
};

Result<Pipe> pipe_for(const std::filesystem::path& executable) {
  int fds[2];
  if (!make_pipe(fds)) return fail_errno("make a pipe for", executable, errno);
  return Pipe{FileDescriptor(fds[0]), FileDescriptor(fds[1])};
}

bool is_set(std::string_view name) {
  for (char** each = environ; *each != nullptr; ++each) {
    const std::string_view variable(*each);
    if (variable.substr(0, variable.find('=')) == name) return true;
  }
  return false;
}

std::vector<char*> environment_with(std::vector<std::string>& defaults) {
  std::vector<char*> out;
  for (char** each = environ; *each != nullptr; ++each) out.push_back(*each);
  for (std::string& variable : defaults) {
    if (!is_set(std::string_view(variable).substr(0, variable.find('=')))) out.push_back(variable.data());
  }
  out.push_back(nullptr);
  return out;
}

Result<int> spawn(const std::filesystem::path& executable, std::vector<std::string>& arguments,
                  ChildOptions& options, int input_fd, int output_fd) {
  std::string program = executable.string();
  std::vector<char*> argv = {program.data()};
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  const std::vector<char*> environment = environment_with(options.defaults);

  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, input_fd, STDIN_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, output_fd, STDOUT_FILENO);
  if (!options.error_log.empty()) {
    ::posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, options.error_log.c_str(),
                                       O_WRONLY | O_CREAT | O_APPEND, 0600);
  }
  if (!options.working_directory.empty()) {
    ::posix_spawn_file_actions_addchdir_np(&actions, options.working_directory.c_str());
  }
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  const int group = options.apart ? POSIX_SPAWN_SETSID : POSIX_SPAWN_SETPGROUP;
  ::posix_spawnattr_setflags(&attributes, static_cast<short>(group | POSIX_SPAWN_SETSIGMASK));
  ::posix_spawnattr_setpgroup(&attributes, 0);
  sigset_t nothing_blocked;
  sigemptyset(&nothing_blocked);
  ::posix_spawnattr_setsigmask(&attributes, &nothing_blocked);
  pid_t pid = 0;
  const int error_number =
      ::posix_spawnp(&pid, program.c_str(), &actions, &attributes, argv.data(),
                    environment.data());
  ::posix_spawn_file_actions_destroy(&actions);
  ::posix_spawnattr_destroy(&attributes);
  if (error_number != 0) return fail_errno("start", executable, error_number);
  return static_cast<int>(pid);
}

}  // namespace

Result<ChildProcess> ChildProcess::start(const std::filesystem::path& executable,
                                         std::vector<std::string> arguments, ChildOptions options) {
  Pipe input = TRY(pipe_for(executable));
  Pipe output = TRY(pipe_for(executable));
  const int pid =
      TRY(spawn(executable, arguments, options, input.read_end.get(), output.write_end.get()));
  // Our copies of the child's ends close here, or the end of its output would never be seen.
  return ChildProcess(pid, std::move(input.write_end), std::move(output.read_end), options);
}

ChildProcess::ChildProcess(ChildProcess&& other) noexcept
    : pid_(std::exchange(other.pid_, 0)),
      stop_signal_(other.stop_signal_),
      stop_time_max_(other.stop_time_max_),
      input_(std::move(other.input_)),
      output_(std::move(other.output_)),
      wait_status_(other.wait_status_),
      buffer_(std::move(other.buffer_)) {}

Result<> ChildProcess::write_input(ByteSpan bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(input_.get(), bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      return fail(Code::unavailable, fmt::format("a child process does not take its input: {}", std::strerror(errno)));
    }
    bytes = bytes.subspan(static_cast<std::size_t>(count));
  }
  return {};
}

Result<ByteSpan> ChildProcess::read_output(Deadline deadline, const StopToken& stop) {
  const StopDescriptor stopped(stop);
  buffer_.resize(read_bytes_max);
  while (true) {
    pollfd waits[2] = {{output_.get(), POLLIN, 0}, {stopped.fd(), POLLIN, 0}};
    const int ready = ::poll(waits, stopped.fd() >= 0 ? 2 : 1, deadline.poll_timeout_ms());
    if (ready < 0 && errno == EINTR) continue;
    if (stop.stop_requested()) return fail(Code::cancelled, "waiting for a child process was cancelled");
    if (ready == 0) return fail(Code::timed_out, "a child process said nothing before the deadline");
    const ssize_t count = ::read(output_.get(), buffer_.data(), buffer_.size());
    if (count < 0 && errno == EINTR) continue;
    return ByteSpan(buffer_.data(), count > 0 ? static_cast<std::size_t>(count) : 0);
  }
}

// Whatever it started and left behind ends with it. While it is not reaped its number is its own, so
// this hits nobody else's group.
bool ChildProcess::end_group(bool wait) {
  siginfo_t info{};
  int done = 0;
  do {
    done = ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOWAIT | (wait ? 0 : WNOHANG));
  } while (done < 0 && errno == EINTR);
  if (done != 0 || info.si_pid != pid_) return false;
  ::kill(-pid_, SIGKILL);
  return true;
}

bool ChildProcess::reap(bool wait) {
  if (pid_ == 0 || wait_status_) return true;
  if (stop_signal_ != 0 && !end_group(wait)) return false;
  int status = 0;
  pid_t done = 0;
  do {
    done = ::waitpid(pid_, &status, wait ? 0 : WNOHANG);
  } while (done < 0 && errno == EINTR);
  if (done == pid_) wait_status_ = status;
  return wait_status_.has_value();
}

int ChildProcess::wait() {
  reap(/*wait=*/true);
  constexpr int unknown_exit_code = 127;
  if (!wait_status_) return unknown_exit_code;  // somebody else has reaped it
  const int status = *wait_status_;
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

std::string ChildProcess::how_it_ended() {
  if (!reap(/*wait=*/false) || !wait_status_) return {};
  const int status = *wait_status_;
  if (WIFSIGNALED(status)) {
    return fmt::format("killed by signal {} ({})", WTERMSIG(status), ::strsignal(WTERMSIG(status)));
  }
  return fmt::format("exited with code {}", WEXITSTATUS(status));
}

void ChildProcess::stop() {
  input_.close();  // the child's cue to leave
  if (stop_signal_ != 0 && !reap(/*wait=*/false)) ::kill(-pid_, stop_signal_);
  const Deadline polite = Deadline::after(stop_time_max_);
  while (!reap(/*wait=*/false) && !polite.passed()) std::this_thread::sleep_for(reap_poll_interval);
  if (!reap(/*wait=*/false)) ::kill(pid_, SIGKILL);
  reap(/*wait=*/true);
}

}  // namespace hearth
