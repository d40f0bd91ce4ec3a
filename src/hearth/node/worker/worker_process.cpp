#include "hearth/node/worker/worker_process.h"

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

#include "hearth/net/ndjson.h"
#include "hearth/node/worker/worker_api.h"

extern char** environ;

namespace hearth::node {
namespace {

constexpr Duration polite_stop_time = std::chrono::seconds(3);
constexpr Duration reap_poll_interval = std::chrono::milliseconds(5);

struct Pipe {
  FileDescriptor read_end, write_end;
};

Result<Pipe> make_pipe() {
  int fds[2];
  if (::pipe(fds) != 0) return fail_errno("make pipe for", "worker", errno);
  for (const int fd : fds) ::fcntl(fd, F_SETFD, FD_CLOEXEC);
  return Pipe{FileDescriptor(fds[0]), FileDescriptor(fds[1])};
}

std::string describe_status(int status) {
  if (WIFSIGNALED(status)) {
    return fmt::format("killed by signal {} ({})", WTERMSIG(status), ::strsignal(WTERMSIG(status)));
  }
  return fmt::format("exited with code {}", WEXITSTATUS(status));
}

Result<int> spawn(const std::filesystem::path& executable, const std::vector<std::string>& arguments,
                  int input_fd, int output_fd) {
  std::vector<char*> argv;
  std::string program = executable.string();
  std::vector<std::string> copies = arguments;
  argv.push_back(program.data());
  for (std::string& argument : copies) argv.push_back(argument.data());
  argv.push_back(nullptr);

  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, input_fd, STDIN_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, output_fd, STDOUT_FILENO);
  // A group of its own: Ctrl-C in the terminal reaches us, and we decide what becomes of workers.
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  ::posix_spawnattr_setflags(
      &attributes, static_cast<short>(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK));
  sigset_t nothing_blocked;
  sigemptyset(&nothing_blocked);
  ::posix_spawnattr_setsigmask(&attributes, &nothing_blocked);
  ::posix_spawnattr_setpgroup(&attributes, 0);
  pid_t pid = 0;
  const int error_number =
      ::posix_spawn(&pid, program.c_str(), &actions, &attributes, argv.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  ::posix_spawnattr_destroy(&attributes);
  if (error_number != 0) return fail_errno("start", executable, error_number);
  return static_cast<int>(pid);
}

}  // namespace

Result<std::unique_ptr<WorkerProcess>> WorkerProcess::start(const std::filesystem::path& executable,
                                                            const WorkerOptions& options,
                                                            const Progress& progress,
                                                            Deadline deadline,
                                                            const StopToken& stop) {
  Pipe input = TRY(make_pipe());
  Pipe output = TRY(make_pipe());
  const int pid = TRY(spawn(executable, options.arguments(), input.read_end.get(),
                            output.write_end.get()));
  std::unique_ptr<WorkerProcess> worker(new WorkerProcess(
      pid, options, std::move(input.write_end), std::move(output.read_end)));
  input.read_end.close();
  output.write_end.close();  // or its end would never be seen
  TRY(worker->wait_until_ready(progress, deadline, stop));
  return worker;
}

Result<> WorkerProcess::wait_until_ready(const Progress& progress, Deadline deadline,
                                         const StopToken& stop) {
  const StopDescriptor stopped(stop);
  net::NdjsonReader lines;
  while (true) {
    while (const auto event = TRY(lines.next())) {
      const auto kind = TRY(get<std::string>(*event, "event"));
      if (kind == "ready") return {};
      if (kind == "failed") return std::unexpected(error_from_json(*event));
      const double fraction = TRY(get_or<double>(*event, "progress", 0));
      if (progress) progress(fraction);
    }
    pollfd waits[2] = {{output_.get(), POLLIN, 0}, {stopped.fd(), POLLIN, 0}};
    const int ready = ::poll(waits, stopped.fd() >= 0 ? 2 : 1, deadline.poll_timeout_ms());
    if (ready < 0 && errno == EINTR) continue;
    if (stop.stop_requested()) return fail(Code::cancelled, "starting the worker was cancelled");
    if (ready == 0) {
      return fail(Code::timed_out, fmt::format("the worker for {} did not become ready in time",
                                               options_.model_path.string()));
    }
    std::byte bytes[4096];
    const ssize_t count = ::read(output_.get(), bytes, sizeof(bytes));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) {
      reap(/*wait=*/true);
      return fail(Code::unavailable, fmt::format("the worker for {} died while loading: {}",
                                                 options_.model_path.string(), how_it_ended()));
    }
    TRY(lines.push(ByteSpan(bytes, static_cast<std::size_t>(count))));
  }
}

bool WorkerProcess::reap(bool wait) {
  if (wait_status_) return true;
  int status = 0;
  pid_t done = 0;
  do {
    done = ::waitpid(pid_, &status, wait ? 0 : WNOHANG);
  } while (done < 0 && errno == EINTR);
  if (done == pid_) wait_status_ = status;
  return wait_status_.has_value();
}

bool WorkerProcess::is_running() { return !reap(/*wait=*/false); }

std::string WorkerProcess::how_it_ended() {
  return reap(/*wait=*/false) ? describe_status(*wait_status_) : std::string();
}

void WorkerProcess::stop() {
  input_.close();  // the worker's cue to leave
  const Deadline polite = Deadline::after(polite_stop_time);
  while (!reap(/*wait=*/false)) {
    if (polite.passed()) {
      ::kill(pid_, SIGKILL);
      reap(/*wait=*/true);
      return;
    }
    std::this_thread::sleep_for(reap_poll_interval);
  }
}

WorkerProcess::~WorkerProcess() { stop(); }

}  // namespace hearth::node
