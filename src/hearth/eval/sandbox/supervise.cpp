#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>

#include "hearth/base/process_memory.h"
#include "hearth/eval/sandbox/confinement.h"

namespace hearth::eval {
namespace {

constexpr std::size_t errors_bytes_kept = 4096;
constexpr int look_interval_ms = 50;  // how often resident memory is looked at

// What a confined program did so far.
class Supervision {
 public:
  Supervision(ConfinedProcess process, const SandboxRequest& request)
      : process_(std::move(process)), request_(request), started_(std::chrono::steady_clock::now()) {
    for (const int fd : {process_.input.get(), process_.output.get(), process_.errors.get(), process_.status.get()}) {
      ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
    }
  }

  Result<SandboxOutcome> run() {
    const Deadline deadline = Deadline::after(std::chrono::duration_cast<Duration>(
        std::chrono::duration<double>(request_.limits.wall_seconds)));
    while (!done() && !ended_early_) {
      if (deadline.passed()) {
        end_early(SandboxEnd::timed_out);
        break;
      }
      step(deadline);
    }
    if (!ended_) ::kill(process_.pid, SIGKILL);
    while (!ended_ && ::waitpid(process_.pid, &wait_status_, 0) < 0 && errno == EINTR) {
    }
    read_status();
    if (parent_left_) return fail(Code::cancelled, "whoever asked for this run is gone");
    return outcome();
  }

 private:
  bool done() const {
    const bool is_over = ended_ || (!status_.empty() && status_.back() == '\n');
    return is_over && !process_.output.valid() && !process_.errors.valid();
  }

  void end_early(SandboxEnd end) {
    ended_early_ = true;
    end_ = end;
  }

  void step(Deadline deadline) {
    enum { parent, input, output, errors, status };
    pollfd waits[] = {{STDIN_FILENO, POLLIN, 0},
                      {process_.input.get(), POLLOUT, 0},
                      {process_.output.get(), POLLIN, 0},
                      {process_.errors.get(), POLLIN, 0},
                      {process_.status.get(), POLLIN, 0}};
    const int wait_ms = std::min(deadline.poll_timeout_ms(), look_interval_ms);
    if (::poll(waits, std::size(waits), wait_ms) < 0) return;
    if (waits[parent].revents != 0) read_parent();
    if (waits[input].revents != 0) feed();
    if (waits[output].revents != 0) read_output();
    if (waits[errors].revents != 0) read_errors();
    if (waits[status].revents != 0) read_status();
    if (!ended_ && !process_.status.valid()) ended_ = ::waitpid(process_.pid, &wait_status_, WNOHANG) == process_.pid;
    look_at_memory();
  }

  void read_parent() {
    char byte;
    if (::read(STDIN_FILENO, &byte, 1) > 0) return;
    parent_left_ = ended_early_ = true;
  }

  void feed() {
    const std::string_view rest = std::string_view(request_.input).substr(fed_bytes_);
    const ssize_t count = rest.empty() ? 0 : ::write(process_.input.get(), rest.data(), rest.size());
    if (count > 0) fed_bytes_ += static_cast<std::size_t>(count);
    const bool later = count < 0 && (errno == EAGAIN || errno == EINTR);
    if (!later && (count < 0 || fed_bytes_ == request_.input.size())) process_.input.close();
  }

  // False when the stream is over.
  static bool read_some(FileDescriptor& from, std::string& into) {
    char buffer[16384];
    const ssize_t count = ::read(from.get(), buffer, sizeof(buffer));
    if (count > 0) into.append(buffer, static_cast<std::size_t>(count));
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return true;
    if (count <= 0) from.close();
    return count > 0;
  }

  void read_output() {
    read_some(process_.output, output_);
    if (output_.size() <= request_.limits.output_bytes) return;
    output_.resize(static_cast<std::size_t>(request_.limits.output_bytes));
    end_early(SandboxEnd::output_too_large);
  }

  void read_errors() {
    read_some(process_.errors, errors_);
    if (errors_.size() > 2 * errors_bytes_kept) errors_.erase(0, errors_.size() - errors_bytes_kept);
  }

  void read_status() {
    if (process_.status.valid()) read_some(process_.status, status_);
  }

  // Where the address space has no limit (macOS). On Linux this process is only the first of its
  // namespace, and RLIMIT_AS holds.
  void look_at_memory() {
#ifdef __APPLE__
    if (resident_bytes_of(process_.pid) <= request_.limits.memory_bytes) return;
    ended_early_ = memory_exceeded_ = true;
#endif
  }

  Result<SandboxOutcome> outcome() {
    if (status_.starts_with("error ")) {
      return fail(Code::unavailable, status_.substr(6, status_.find('\n') - 6));
    }
    SandboxOutcome out{.end = end_, .output = std::move(output_), .errors = std::move(errors_)};
    if (out.errors.size() > errors_bytes_kept) out.errors.erase(0, out.errors.size() - errors_bytes_kept);
    out.wall_seconds = seconds(std::chrono::steady_clock::now() - started_);
    if (ended_early_ && !memory_exceeded_ && end_ != SandboxEnd::exited) return out;
    if (status_.starts_with("status ")) std::from_chars(status_.data() + 7, status_.data() + status_.size(), wait_status_);
    if (WIFSIGNALED(wait_status_)) {
      out.end = SandboxEnd::killed;
      out.signal = WTERMSIG(wait_status_);
    } else {
      out.exit_code = WEXITSTATUS(wait_status_);
    }
    return out;
  }

  ConfinedProcess process_;
  const SandboxRequest& request_;
  Instant started_;
  std::string output_, errors_, status_;
  std::size_t fed_bytes_ = 0;
  SandboxEnd end_ = SandboxEnd::exited;
  int wait_status_ = 0;
  bool ended_ = false;  // and is reaped
  bool ended_early_ = false, parent_left_ = false, memory_exceeded_ = false;
};

bool limit(decltype(RLIMIT_CPU) resource, std::uint64_t soft, std::uint64_t hard) {
  const rlimit value{static_cast<rlim_t>(soft), static_cast<rlim_t>(hard)};
  return ::setrlimit(resource, &value) == 0;
}

}  // namespace

Result<SandboxOutcome> supervise(ConfinedProcess process, const SandboxRequest& request) {
  return Supervision(std::move(process), request).run();
}

Result<ProcessPipe> make_process_pipe() {
  int fds[2];
  if (::pipe(fds) != 0) return fail_errno("make a pipe for", "a program in the sandbox", errno);
  for (const int fd : fds) ::fcntl(fd, F_SETFD, FD_CLOEXEC);
  return ProcessPipe{FileDescriptor(fds[0]), FileDescriptor(fds[1])};
}

bool take_streams(int input, int output, int errors) {
  return ::dup2(input, STDIN_FILENO) >= 0 && ::dup2(output, STDOUT_FILENO) >= 0 &&
         ::dup2(errors, STDERR_FILENO) >= 0;
}

bool set_process_limits(const SandboxLimits& limits) {
  constexpr std::uint64_t open_files_max = 64;
  bool good = limit(RLIMIT_CORE, 0, 0) && limit(RLIMIT_NOFILE, open_files_max, open_files_max) &&
              limit(RLIMIT_FSIZE, limits.disk_bytes, limits.disk_bytes) &&
              limit(RLIMIT_CPU, limits.cpu_seconds, limits.cpu_seconds + 1);
#ifdef __linux__
  constexpr std::uint64_t own_processes = 4;  // launcher, first of the namespace, the program
  good = good && limit(RLIMIT_AS, limits.memory_bytes, limits.memory_bytes) &&
         limit(RLIMIT_NPROC, limits.threads + own_processes, limits.threads + own_processes) &&
         limit(RLIMIT_MSGQUEUE, 0, 0) && limit(RLIMIT_MEMLOCK, 0, 0);
#endif
  return good;
}

}  // namespace hearth::eval
