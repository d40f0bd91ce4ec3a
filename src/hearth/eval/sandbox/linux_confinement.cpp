#ifdef __linux__
// Linux: namespaces for users, mounts, processes, network, messages and names; a root of its own; no
// capabilities; resource limits; a filter of system calls. As root the user namespace is not needed (and
// often not allowed): there the program gets a user number that nobody else has.

#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>

#include "hearth/eval/sandbox/confinement.h"
#include "hearth/eval/sandbox/linux_root.h"
#include "hearth/eval/sandbox/system_call_filter.h"

namespace hearth::eval {
namespace {

constexpr int namespaces = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS;
constexpr unsigned nobody = 65534;
constexpr unsigned spare_user_first = 0x3E000000;  // beyond what systems hand out; plus our process id
constexpr unsigned inner_user = 1000;

constexpr std::string_view how_to_mend =
    "Code of answers runs only where it can be confined. Let programs make user namespaces: on Debian "
    "'sysctl kernel.unprivileged_userns_clone=1', on Ubuntu 'sysctl kernel.apparmor_restrict_unprivileged_userns=0', "
    "in a container '--security-opt seccomp=unconfined --security-opt apparmor=unconfined' or '--cap-add SYS_ADMIN'.";

struct Identity {
  bool changes = false;  // root without a user namespace: take another user
  unsigned user = nobody;
};

Result<> write_map(const char* file, const std::string& text) {
  const FileDescriptor fd(::open(file, O_WRONLY | O_CLOEXEC));
  if (fd.valid() && ::write(fd.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size())) return {};
  return fail(Code::unavailable, fmt::format("this system lets us not write {} ({}): start hearth as an ordinary user. {}", file,
                                             std::strerror(errno), how_to_mend));
}

Result<> enter_user_namespace() {
  if (::geteuid() == 0 && ::setgroups(0, nullptr) == 0 && ::setresgid(nobody, nobody, nobody) == 0) {
    (void)::setresuid(nobody, nobody, nobody);  // root that may not change stays; it is mapped away below
  }
  ::prctl(PR_SET_DUMPABLE, 1);  // or our own /proc/self belongs to root
  const unsigned user = ::geteuid(), group = ::getegid();
  if (::unshare(CLONE_NEWUSER | namespaces) != 0) {
    return fail(Code::unavailable, fmt::format("this system lets us make no namespaces ({}). {}", std::strerror(errno), how_to_mend));
  }
  TRY(write_map("/proc/self/setgroups", "deny"));
  TRY(write_map("/proc/self/uid_map", fmt::format("{} {} 1", inner_user, user)));
  return write_map("/proc/self/gid_map", fmt::format("{} {} 1", inner_user, group));
}

// Root of a container without other users has nobody to become.
bool knows_nobody() {
  std::ifstream lines("/proc/self/uid_map");
  for (std::uint64_t inner, outer, count; lines >> inner >> outer >> count;) {
    if (nobody >= inner && nobody - inner < count) return true;
  }
  return false;
}

Result<Identity> enter_namespaces() {
  if (::geteuid() == 0 && knows_nobody() && ::unshare(namespaces) == 0) {
    return Identity{.changes = true, .user = spare_user_first + static_cast<unsigned>(::getpid()) % 0x01000000};
  }
  TRY(enter_user_namespace());
  return Identity{};
}

bool take_identity(const Identity& identity) {
  if (!identity.changes) return true;
  if (::setgroups(0, nullptr) != 0) return false;
  const auto become = [](unsigned user) { return ::setresgid(user, user, user) == 0 && ::setresuid(user, user, user) == 0; };
  return become(identity.user) || become(nobody);  // within a container few numbers exist
}

void say(int status_fd, const std::string& line) { (void)!::write(status_fd, line.data(), line.size()); }

[[noreturn]] void fail_with(int status_fd, std::string_view what) {
  say(status_fd, fmt::format("error {}: {}. {}\n", what, std::strerror(errno), how_to_mend));
  ::_exit(3);
}

struct Streams {
  int input, output, errors, status;
};

[[noreturn]] void become_program(const SandboxJob& job, const Identity& identity, const Streams& streams) {
  std::vector<char*> argv;
  std::string python = job.python.string();
  std::vector<std::string> arguments = job.request.arguments;
  argv.push_back(python.data());
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  if (!take_streams(streams.input, streams.output, streams.errors)) fail_with(streams.status, "connecting a program");
  if (!set_process_limits(job.request.limits)) fail_with(streams.status, "setting limits");
  for (int capability = 0; ::prctl(PR_CAPBSET_READ, capability) >= 0; ++capability) {
    ::prctl(PR_CAPBSET_DROP, capability);
  }
  if (!take_identity(identity)) fail_with(streams.status, "giving up root");
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) fail_with(streams.status, "giving up privileges");
  if (!install_system_call_filter()) fail_with(streams.status, "filtering system calls");
  ::execve(python.c_str(), argv.data(), const_cast<char* const*>(confined_environment));
  fail_with(streams.status, "starting " + python);
}

// Process 1 of its namespace: when it ends, the kernel kills all others in it. Signals from within do
// not reach it.
[[noreturn]] void be_first_process(const SandboxJob& job, const Identity& identity, const Streams& streams) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::prctl(PR_SET_DUMPABLE, 0);
  ::setsid();
  (void)!::sethostname("sandbox", 7);
  if (const auto entered = enter_confined_root(job); !entered) {
    say(streams.status, fmt::format("error {}. {}\n", entered.error().message, how_to_mend));
    ::_exit(3);
  }
  const pid_t program = ::fork();
  if (program < 0) fail_with(streams.status, "starting a process");
  if (program == 0) become_program(job, identity, streams);
  for (const int fd : {streams.input, streams.output, streams.errors, STDIN_FILENO, STDOUT_FILENO}) ::close(fd);
  int wait_status = 0;
  pid_t ended;
  do {
    ended = ::waitpid(-1, &wait_status, 0);
  } while (ended != program && (ended > 0 || errno == EINTR));
  say(streams.status, fmt::format("status {}\n", wait_status));
  ::_exit(0);
}

}  // namespace

Result<ConfinedProcess> start_confined(const SandboxJob& job) {
  ::close_range(3, ~0U, 0);
  const Identity identity = TRY(enter_namespaces());
  ProcessPipe input = TRY(make_process_pipe());
  ProcessPipe output = TRY(make_process_pipe());
  ProcessPipe errors = TRY(make_process_pipe());
  ProcessPipe status = TRY(make_process_pipe());
  const pid_t first = ::fork();
  if (first < 0) return fail_errno("start", "a process in the sandbox", errno);
  if (first == 0) {
    for (FileDescriptor* ours : {&input.write_end, &output.read_end, &errors.read_end, &status.read_end}) ours->close();
    be_first_process(job, identity, {input.read_end.get(), output.write_end.get(), errors.write_end.get(), status.write_end.get()});
  }
  return ConfinedProcess{first, std::move(input.write_end), std::move(output.read_end), std::move(errors.read_end), std::move(status.read_end), {}};
}

}  // namespace hearth::eval
#endif
